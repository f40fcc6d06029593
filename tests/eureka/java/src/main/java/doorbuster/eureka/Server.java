package doorbuster.eureka;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.cloud.netflix.eureka.server.EnableEurekaServer;
import org.springframework.context.annotation.Configuration;

/** Spring Cloud Netflix Eureka's server, as everybody runs it; settings come from the command line. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@EnableEurekaServer
public class Server {
  public static void main(String[] arguments) {
    SpringApplication.run(Server.class, arguments);
  }
}
