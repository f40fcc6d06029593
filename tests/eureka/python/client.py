"""A service of Python with py_eureka_client, for tests; tests/eureka/clients.py starts it.

Serves HTTP like the clients of the other languages: /view shows what this client sees, everything else says hello.
"""

import argparse
import http.server
import signal
import threading

import py_eureka_client.eureka_client as eureka_client


def view(client):
    lines = []
    for application in client.applications.applications:
        for instance in application.instances:
            lines.append(f"{application.name} {instance.instanceId} {instance.status} "
                         f"{instance.hostName}:{instance.port.port}")
    return "".join(line + "\n" for line in lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--registry", required=True)
    parser.add_argument("--app", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--renew", type=int, default=1)
    parser.add_argument("--lease", type=int, default=3)
    options = parser.parse_args()
    # In every thread that is started from here on, so that the main one can wait for them.
    stopping = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            text = view(self.server.client) if self.path == "/view" else f"hello from {self.server.instance_id}\n"
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.instance_id = f"python:{server.server_port}"
    server.client = eureka_client.init(
        eureka_server=options.registry, app_name=options.app, instance_id=server.instance_id,
        instance_host="127.0.0.1", instance_ip="127.0.0.1", instance_port=server.server_port,
        renewal_interval_in_secs=options.renew, duration_in_secs=options.lease)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening {server.server_port}", flush=True)
    signal.sigwait(stopping)
    eureka_client.stop()


if __name__ == "__main__":
    main()
