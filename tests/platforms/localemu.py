"""Runs LocalEmu, which listens on every interface, in a network namespace of its own, and carries connections of a Unix socket to it:
`unshare -n python localemu.py SOCKET FOLDER`."""

import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

PORT = 4566
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def loopback_is_up():
    """A new namespace has its own loopback interface, which is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def carry(came, went):
    try:
        while data := came.recv(1 << 16):
            went.sendall(data)
        went.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(came):
    with came, socket.create_connection(("127.0.0.1", PORT)) as went:
        back = threading.Thread(target=carry, args=(went, came), daemon=True)
        back.start()
        carry(came, went)
        back.join()


def accept(listening):
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()


def main(path, folder):
    loopback_is_up()
    folder = Path(folder)
    # It empties a folder below TMPDIR when it starts.
    (folder / "tmp").mkdir(parents=True)
    own = {"HOME": str(folder), "TMPDIR": str(folder / "tmp"), "SERVICES": "apigateway,cloudwatch"}
    program = str(Path(sys.executable).parent / "localemu")
    with open(folder / "log", "w") as log:
        emulator = subprocess.Popen([sys.executable, program, "start"], env={**os.environ, **own}, cwd=folder, stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=5).close()
            break
        except OSError:
            if time.monotonic() > deadline or emulator.poll() is not None:
                sys.exit((folder / "log").read_text())
            time.sleep(0.2)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    threading.Thread(target=accept, args=(listening,), daemon=True).start()
    # Who started it holds the other end: once that is gone, so is this.
    sys.stdin.buffer.read()
    emulator.kill()


main(*sys.argv[1:])
