"""Another mail host: takes mail on a port of 127.0.0.1, or says what a test wants it to say."""
import socket
import threading

from ports import free_port


class Peer:
    """
    ANSWER(verb, line) gives the reply to a command as text, or None for the usual one; VERB "." is the final dot.
    What was said is in lines, (reverse-path, [forward-path, ...], content) of what was taken in messages.
    """

    def __init__(self, answer=None):
        self.answer = answer or (lambda verb, line: None)
        self.lines = []
        self.messages = []
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def close(self):
        """Takes nobody any more; may be called twice."""
        if self.listener.fileno() >= 0:
            # A close alone does not wake a thread that waits in accept.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, client.makefile("rwb") as wire:
            try:
                self.dialogue(wire)
            except (BrokenPipeError, ConnectionResetError):
                pass

    def dialogue(self, wire):
        def say(text):
            wire.write(text.encode() + b"\r\n")
            wire.flush()

        sender, recipients = None, []
        say(self.answer("", "") or "220 peer.test ESMTP")
        for octets in wire:
            line = octets.decode("utf-8", "replace").rstrip("\r\n")
            verb = line.split(" ")[0].split(":")[0].upper()
            self.lines.append(line)
            reply = self.answer(verb, line)
            if verb == "MAIL":
                sender, recipients = line[line.index("<") + 1:line.rindex(">")], []
            if verb == "RCPT" and not (reply or "250").startswith(("4", "5")):
                recipients.append(line[line.index("<") + 1:line.rindex(">")])
            if verb == "DATA" and not reply:
                say("354 go on")
                content = self.content(wire)
                reply = self.answer(".", content)
                if not (reply or "250").startswith(("4", "5")):
                    self.messages.append((sender, recipients, content))
                say(reply or "250 2.0.0 taken")
                continue
            say(reply or self.usual(verb))
            if verb == "QUIT":
                return

    @staticmethod
    def usual(verb):
        return {"EHLO": "250-peer.test\r\n250-PIPELINING\r\n250 8BITMIME", "QUIT": "221 2.0.0 bye"}.get(verb, "250 2.0.0 ok")

    @staticmethod
    def content(wire):
        lines = []
        for line in wire:
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)
