package doorbuster.eureka;

import com.netflix.appinfo.InstanceInfo;
import com.netflix.discovery.AbstractDiscoveryClientOptionalArgs;
import com.netflix.discovery.EurekaClient;
import com.netflix.discovery.Jersey3DiscoveryClientOptionalArgs;
import com.netflix.discovery.shared.Application;
import com.netflix.discovery.shared.transport.jersey.TransportClientFactories;
import com.netflix.discovery.shared.transport.jersey3.Jersey3TransportClientFactories;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * A service of a Spring Cloud estate: it serves HTTP, registers, and shows what its discovery client sees.
 *
 * <p>/view: one line an instance, "APP id status host:port", and a line "hash ..." first. /lb/NAME: what
 * Spring's DiscoveryClient gives for a service, one URI a line. Everything else: "hello from ID".
 */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
public class Client {
  /** Netflix's own transport instead of Spring's. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnProperty("eureka.client.jersey.enabled")
  static class Jersey {
    @Bean
    AbstractDiscoveryClientOptionalArgs<?> arguments() {
      return new Jersey3DiscoveryClientOptionalArgs();
    }

    @Bean
    TransportClientFactories<?> transport() {
      return new Jersey3TransportClientFactories();
    }
  }

  public static void main(String[] arguments) throws Exception {
    int port = 0;
    List<String> rest = new ArrayList<>();
    for (String argument : arguments) {
      if (argument.startsWith("--http.port=")) {
        port = Integer.parseInt(argument.substring("--http.port=".length()));
      } else {
        rest.add(argument);
      }
    }
    HttpServer http = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), 1024);
    port = http.getAddress().getPort();
    rest.add("--eureka.instance.nonSecurePort=" + port);
    rest.add("--eureka.instance.instanceId=java:" + port);

    SpringApplication application = new SpringApplication(Client.class);
    application.setWebApplicationType(WebApplicationType.NONE);
    ConfigurableApplicationContext context = application.run(rest.toArray(new String[0]));
    EurekaClient eureka = context.getBean(EurekaClient.class);
    DiscoveryClient discovery = context.getBean(DiscoveryClient.class);
    final String hello = "hello from java:" + port + "\n";
    http.createContext("/", exchange -> {
      exchange.getRequestBody().readAllBytes();
      String path = exchange.getRequestURI().getPath();
      String text = hello;
      if (path.equals("/view")) {
        text = view(eureka);
      } else if (path.startsWith("/lb/")) {
        StringBuilder found = new StringBuilder();
        for (ServiceInstance instance : discovery.getInstances(path.substring(4))) {
          found.append(instance.getUri()).append('\n');
        }
        text = found.toString();
      }
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "text/plain");
      exchange.sendResponseHeaders(200, bytes.length == 0 ? -1 : bytes.length);
      exchange.getResponseBody().write(bytes);
      exchange.close();
    });
    http.setExecutor(Executors.newFixedThreadPool(4));
    http.start();
    System.out.println("listening " + port);
    System.out.flush();
    // The HTTP server keeps no thread of Spring's: without this the program would end here.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> http.stop(0)));
    Thread.currentThread().join();
  }

  private static String view(EurekaClient eureka) {
    StringBuilder lines = new StringBuilder("hash " + eureka.getApplications().getAppsHashCode() + "\n");
    for (Application application : eureka.getApplications().getRegisteredApplications()) {
      for (InstanceInfo instance : application.getInstancesAsIsFromEureka()) {
        lines.append(String.join(" ", Arrays.asList(application.getName(), instance.getId(),
            instance.getStatus().name(), instance.getHostName() + ":" + instance.getPort()))).append('\n');
      }
    }
    return lines.toString();
  }
}
