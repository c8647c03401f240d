"""A server for http_metrics: http_metrics_server.py DIRECTORY FAIL_FIRST [STATUS]

Writes its port to DIRECTORY/port, and each accepted request's body to DIRECTORY/body_N, with its
Grapnel-Batch and Authorization in DIRECTORY/head_N. Each request is DIRECTORY/try_N, its Grapnel-Batch
before it. Answers the first FAIL_FIRST requests, or all with a
negative number, with STATUS (503); "hang" as STATUS: not at all.
"""
import http.server
import os
import sys
import time

directory, fail_first = sys.argv[1], int(sys.argv[2])
status = sys.argv[3] if len(sys.argv) > 3 else "503"
seen = accepted = 0


def write(name, data):
    path = os.path.join(directory, name)
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.rename(path + ".new", path)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global seen, accepted
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen += 1
        write("seen", str(seen).encode())
        write("try_%d" % (seen - 1), (self.headers.get("Grapnel-Batch") + "\n").encode() + body)
        if fail_first < 0 or seen <= fail_first:
            if status == "hang":
                time.sleep(600)
            self.send_response(int(status))
            self.end_headers()
            return
        head = "%s\n%s\n%s\n" % (self.headers.get("Grapnel-Batch"), self.headers.get("Authorization"),
                                 self.headers.get("Content-Type"))
        write("head_%d" % accepted, head.encode())
        write("body_%d" % accepted, body)
        accepted += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
write("port", str(server.server_port).encode())
server.serve_forever()
