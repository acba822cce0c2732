"""Relays before servers of others, which they pass everything to unless they are told to fail.

`Relay` is for HTTP: it answers by itself, or lets a request through and loses the answer. `Pipe` is for anything over
TCP: it can swallow what the server says.
"""

from __future__ import annotations

import http.client
import http.server
import socket
import threading

import harness

# A message to one hop only; everything else is passed on as it is, for requests may be signed.
HOP = {"connection", "keep-alive", "transfer-encoding"}


class Relay:
    """`faults` are met by the next puts: a status to answer with, or `"cut"` to lose the server's answer."""

    def __init__(self, port: int):
        self.faults: list[int | str] = []
        self.puts = 0
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fault = relay.next(self.command)
                if isinstance(fault, int):
                    return self.say(fault, [("retry-after", "1")], b"")
                # The name that was asked for stays: a signature covers it.
                onward = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE_SECONDS)
                onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in HOP:
                        onward.putheader(name, value)
                onward.endheaders(body)
                reply = onward.getresponse()
                content = reply.read()
                onward.close()
                if fault == "cut":
                    self.close_connection = True
                    return None
                return self.say(reply.status, reply.getheaders(), content)

            def say(self, status, headers, content):
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in HOP | {"content-length"}:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_PUT = do_POST = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, method: str) -> int | str | None:
        if method != "PUT":
            return None
        self.puts += 1
        return self.faults.pop(0) if self.faults else None

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Pipe:
    """Passes bytes both ways. While `deaf`, what the server says is thrown away."""

    def __init__(self, port: int):
        self.to, self.deaf, self.swallowed = port, False, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            self.ends += [near, far]
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65_536):
                if answers and self.deaf:
                    self.swallowed += len(data)
                else:
                    sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self) -> None:
        """Ends every connection; new ones are taken."""
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.ends.clear()

    def stop(self) -> None:
        self.listener.close()
        self.cut()
