"""Another mail host that misbehaves: a script says, as data, what it does at each stage of which connection."""
import socket
import threading

from peer import Peer

STALL = "stall"  # it says nothing more, and takes nothing more
DROP = "drop"  # the connection is closed

OFFERS = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 10000000")


class Slowly(str):
    """A reply that comes in segments of one octet."""


class Dripping(str):
    """Its octets again and again, with a pause before each: never a whole reply."""


class Endless(str):
    """Said again and again, as long as it is taken."""


class Raw(str):
    """Said as it is: its line ends are its own."""


class Over(Exception):
    """This conversation is at its end."""


class Conversation:
    """
    One connection. SCRIPT says for a stage (greeting, EHLO, ..., DATA, content, "." for the final dot) a reply, or one
    of the above; a tuple of them, one after the other; or a list of such: for the first time, the second, ..., and
    then as usual. A function is asked, with the conversation and the line. What nothing is said of is done well.
    """

    def __init__(self, peer, client, script):
        self.peer = peer
        self.client = client
        self.script = {stage: list(what) if isinstance(what, list) else what for stage, what in script.items()}
        self.octets = b""
        self.held = []
        self.lines = []  # what was said to us
        self.ahead = []  # verbs with more octets behind them that had come already
        self.contents = []
        self.sender, self.recipients = None, []

    # ---- to hear ----

    def fill(self):
        more = self.client.recv(65536)
        if not more:
            raise Over
        self.octets += more

    def line(self):
        while b"\n" not in self.octets:
            self.fill()
        line, _, self.octets = self.octets.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def content(self):
        """Up to the dot, without it, dots taken away again (RFC 5321 4.5.2)."""
        while not self.octets.startswith(b".\r\n") and b"\r\n.\r\n" not in self.octets:
            self.fill()
        if self.octets.startswith(b".\r\n"):
            self.octets = self.octets[3:]
            return b""
        content, _, self.octets = self.octets.partition(b"\r\n.\r\n")
        return b"\r\n".join(line.removeprefix(b".") for line in content.split(b"\r\n")) + b"\r\n"

    # ---- to speak ----

    def say(self, reply):
        if isinstance(reply, tuple):
            for one in reply:
                self.say(one)
        elif reply == DROP:
            raise Over
        elif reply == STALL:
            self.wait()
        elif isinstance(reply, Slowly):
            for octet in reply.encode() + b"\r\n":
                self.client.sendall(bytes([octet]))
        elif isinstance(reply, Dripping):
            while not self.peer.over.wait(0.05):
                self.client.sendall(reply.encode())
        elif isinstance(reply, Endless):
            while True:
                self.client.sendall(reply.encode() * 100)
        elif isinstance(reply, Raw):
            self.client.sendall(reply.encode())
        else:
            self.client.sendall(reply.encode() + b"\r\n")

    def wait(self):
        """Until the other side gives up; what it says is not read, so that it cannot say much."""
        self.peer.over.wait()
        raise Over

    def scripted(self, stage, line):
        what = self.script.get(stage)
        if callable(what):
            what = what(self, line)
        if isinstance(what, list):
            what = what.pop(0) if what else None
        return what

    def answer(self, stage, line, usual, taken=None):
        """Says it, and returns what it was. TAKEN is called before that, if it is a 2yz."""
        reply = self.scripted(stage, line)
        if reply is None:
            reply = usual
        if taken and (reply[0] if isinstance(reply, tuple) else reply).startswith("2"):
            taken()
        self.held.append(reply)
        if not self.peer.hold or stage not in ("MAIL", "RCPT", "RSET"):
            held, self.held = self.held, []
            for one in held:
                self.say(one)
        return reply

    # ---- the dialogue ----

    def run(self):
        self.answer("greeting", "", "220 peer.test ESMTP")
        while True:
            line = self.line()
            self.lines.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            if self.octets:
                self.ahead.append(verb)
            getattr(self, "on_" + verb.lower(), self.on_other)(verb, line)

    def on_other(self, verb, line):
        self.answer(verb, line, "250 2.0.0 ok")

    def on_ehlo(self, verb, line):
        words = ["peer.test", *self.peer.offers]
        self.answer(verb, line, "\r\n".join(f"250{' ' if i == len(words) - 1 else '-'}{word}"
                                            for i, word in enumerate(words)))

    on_lhlo = on_ehlo

    def on_quit(self, verb, line):
        self.answer(verb, line, "221 2.0.0 bye")
        raise Over

    def on_rset(self, verb, line):
        self.sender, self.recipients = None, []
        self.answer(verb, line, "250 2.0.0 ok")

    def on_mail(self, verb, line):
        def taken():
            self.sender, self.recipients = line[line.index("<") + 1:line.rindex(">")], []
        self.answer(verb, line, "250 2.1.0 ok", taken)

    def on_rcpt(self, verb, line):
        usual = "503 5.5.1 MAIL first" if self.sender is None else "250 2.1.5 ok"
        self.answer(verb, line, usual,
                    lambda: self.recipients.append(line[line.index("<") + 1:line.rindex(">")]))

    def on_data(self, verb, line):
        usual = "354 go on" if self.recipients else "503 5.5.1 nobody is here"
        if not self.answer(verb, line, usual).startswith("354"):
            return
        during = self.scripted("content", "")
        if during:
            self.fill()
            self.say(during)
        content = self.content()
        self.contents.append(content)
        # A refusal in the middle is the reply; the rest is taken and thrown away.
        if during:
            self.sender, self.recipients = None, []
            return
        # RFC 2033 4.2: LMTP has a reply for each recipient.
        for group in [[one] for one in self.recipients] if self.peer.lmtp else [self.recipients]:
            self.answer(".", line, "250 2.0.0 taken" if group else "554 5.5.1 for nobody",
                        lambda group=group: self.peer.take(self.sender, group, content))
        self.sender, self.recipients = None, []


class ScriptedPeer(Peer):
    """
    Each of SCRIPTS is for one connection, in their order; ALWAYS is for all that come behind them, which are well
    served without it. HOLD: replies to a group of commands are kept back until its last one has come.
    """

    def __init__(self, *scripts, always=None, offers=OFFERS, lmtp=False, hold=False):
        self.scripts = list(scripts)
        self.always = always or {}
        self.offers = offers
        self.lmtp = lmtp
        self.hold = hold
        self.conversations = []
        self.faults = []  # of this peer itself: the test is wrong
        self.over = threading.Event()
        self.lock = threading.Lock()
        super().__init__()

    def close(self):
        self.over.set()
        super().close()

    def take(self, sender, recipients, content):
        with self.lock:
            self.messages.append((sender, list(recipients), content))

    def conversation(self, client, script):
        return Conversation(self, client, script)

    def talk(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            script = self.scripts.pop(0) if self.scripts else self.always
            conversation = self.conversation(client, script)
            self.conversations.append(conversation)
        with client:
            try:
                conversation.run()
            except (Over, OSError):
                pass
            except Exception as fault:
                self.faults.append(fault)
                raise

    def arrived(self):
        """Addresses that mail was taken for, one by one."""
        with self.lock:
            return sorted(recipient for _, recipients, _ in self.messages for recipient in recipients)

    def said(self, verb):
        """Commands of this verb, of all connections."""
        return [line for conversation in self.conversations for line in conversation.lines if line.startswith(verb)]


class FullPeer(ScriptedPeer):
    """Its backlog is full: who connects hears nothing, until open()."""

    def __init__(self):
        self.opened = threading.Event()
        super().__init__()
        self.listener.listen(0)
        self.callers = [socket.socket() for _ in range(4)]
        for caller in self.callers:
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", self.port))

    def run(self):
        self.opened.wait()
        super().run()

    def open(self):
        for caller in self.callers:
            caller.close()
        self.opened.set()

    def close(self):
        self.open()
        super().close()
