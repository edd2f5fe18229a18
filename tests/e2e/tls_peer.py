"""Another mail host that speaks TLS, or says that it does: STARTTLS, implicit TLS, AUTH, and lies about each."""
import base64
import ssl

from scripted_peer import OFFERS, Conversation, Over, Raw, ScriptedPeer

STARTTLS_OFFERS = ("STARTTLS", *OFFERS)


def context_of(pair, minimum=None, maximum=None, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL would not show what is too weak for it.
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    context.load_cert_chain(pair.path)
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


class TlsConversation(Conversation):
    """
    A script may have "handshake": STALL, DROP, or Raw octets in place of one. What stands under "STARTTLS" is the reply;
    a tuple of (reply, Raw octets) injects them behind it.
    """

    tls = False
    failed = None
    client_certificate = None

    def shake(self):
        instead = self.scripted("handshake", "")
        if instead is not None:
            self.say(instead)
            self.wait()
        try:
            self.client = self.peer.context.wrap_socket(self.client, server_side=True)
        except (ssl.SSLError, OSError) as why:
            self.failed = why
            raise Over from why
        self.tls = True
        self.client_certificate = self.client.getpeercert()
        self.octets = b""

    def run(self):
        if self.peer.at_once:
            self.shake()
        super().run()

    def on_starttls(self, verb, line):
        reply = self.answer(verb, line, "220 2.0.0 go on")
        if (reply[0] if isinstance(reply, tuple) else reply).startswith("220"):
            self.shake()

    def on_ehlo(self, verb, line):
        offers = self.peer.offers
        self.peer.offers = [word for word in (self.peer.secure_offers if self.tls else offers)
                            if not (self.tls and word == "STARTTLS")]
        try:
            super().on_ehlo(verb, line)
        finally:
            self.peer.offers = offers

    on_lhlo = on_ehlo

    # ---- AUTH, as far as a test wants it: the exchange is what was said, without base64 ----

    def challenge(self, octets):
        self.say("334 " + base64.b64encode(octets).decode())
        line = self.line()
        self.lines.append(line)
        if line == "*":
            self.say("501 5.7.0 cancelled")
            return None
        return base64.b64decode(line)

    def on_auth(self, verb, line):
        words = line.split(" ")
        initial = None
        if len(words) > 2:
            initial = b"" if words[2] == "=" else base64.b64decode(words[2])
        verdict = self.peer.login(self, words[1], initial)
        if verdict:
            self.say(verdict)


class TlsPeer(ScriptedPeer):
    """
    CONTEXT is what it shakes hands with. LOGIN(conversation, mechanism, initial) is the rest of an AUTH, and returns the
    last reply. SECURE_OFFERS are EHLO's inside TLS.
    """

    def __init__(self, context, *scripts, at_once=False, login=None, secure_offers=None, offers=STARTTLS_OFFERS, **options):
        self.context = context
        self.at_once = at_once
        self.secure_offers = secure_offers or OFFERS
        self.login = login or (lambda *_: "535 5.7.8 nobody logs in here")
        super().__init__(*scripts, offers=offers, **options)

    def conversation(self, client, script):
        return TlsConversation(self, client, script)

    def tls_conversations(self):
        return [one for one in self.conversations if one.tls]


__all__ = ["Raw", "STARTTLS_OFFERS", "TlsPeer", "context_of"]
