"""A tcp connection to a program of ours that a test can cut, and mend."""

import contextlib
import socket
import threading

PIECE_BYTES = 65_536


class Cable:
    """Passes on, both ways, what comes to a port of its own, until it is cut: then all connections are lost.

    Args:
        port: where it leads to, on this machine.
        own_port: where it listens.
    """

    def __init__(self, port: int, own_port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", own_port))
        self._ends: list[socket.socket] = []
        self._is_cut = False
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def cut(self) -> None:
        """Lose all connections; new ones end at once."""
        self._is_cut = True
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let new connections through."""
        self._is_cut = False

    def close(self) -> None:
        """End all of it."""
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._ends.append(near)
            try:
                far = None if self._is_cut else socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                far = None
            if far is None:
                near.shutdown(socket.SHUT_RDWR)
                continue
            self._ends.append(far)
            for source, target in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pass_on, args=(source, target))
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
