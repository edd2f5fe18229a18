#!/usr/bin/python3
"""Reports (printed by the program in the argument) as another program reads them: Python's email package.

Structure, fields and blocks for machines for every kind, for hostile and international texts, and for up to 300
recipients. Prints one line a case; ends 1 when one failed. C173 to C181, C186.
"""
import email
import email.policy
import re
import subprocess
import sys

PRINT = sys.argv[1]
FAILED, DELAYED, DOUBLE, DIGEST = range(4)
BASE = {
    "kind": FAILED, "hostname": "mail.example.org", "from": "postmaster@example.org", "to": "app@example.org",
    "id": "3591TJHR6EY3", "about": "358Y3FDH1F2K", "utc_msec": 1795340467000, "arrival_msec": 1794900000000,
    "subject": "Invoice 4411", "message_id": "4411@example.org", "references": "<1@example.org> <2@example.org>",
    "header": "From: <app@example.org>\r\nSubject: Invoice 4411\r\n\r\n", "body": "hello\r\n", "full": 1,
}
RECIPIENT = {
    "address": "ben@example.net", "status": "5.1.1", "code": 550, "reply": "unknown user", "from_peer": 1,
    "remote_mta": "mx1.example.net", "attempts": 1, "first_msec": 1795340400000, "last_msec": 1795340460000,
}
failures = []


def octets(value):
    if isinstance(value, int):
        return str(value).encode()
    return value if isinstance(value, bytes) else value.encode()


def escaped(value):
    return b"".join(bytes([c]) if 0x20 <= c < 0x7f and c != 0x5c else b"\\x%02x" % c for c in octets(value))


def report(recipients=(RECIPIENT,), **fields):
    """(needs 8 bits, octets) of a report."""
    lines = [name.encode() + b" " + escaped(value) for name, value in {**BASE, **fields}.items()]
    for recipient in recipients:
        lines.append(b"recipient")
        lines += [name.encode() + b" " + escaped(value) for name, value in recipient.items()]
    done = subprocess.run([PRINT], input=b"\n".join(lines) + b"\n", capture_output=True, timeout=60, check=True)
    eight, text = done.stdout.split(b"\n", 1)
    return eight == b"1", text


def expect(name, good, seen=""):
    print("ok  " if good else "FAIL", name)
    if not good:
        failures.append(name)
        print("     ", seen)


def defects(message):
    """Of the report; what is wrong with the message it returns is not the report's."""
    if message.get_content_type() in ("message/rfc822", "message/global"):
        return list(message.defects)
    found = list(message.defects)
    for _, value in message.items():
        found += getattr(value, "defects", [])
    for part in message.iter_parts() if message.is_multipart() else []:
        found += defects(part)
    return found


def blocks(part):
    """The per-message block of a status part, and the others."""
    if part.get_content_type() == "message/delivery-status":
        return part.get_payload()
    text = part.get_payload(decode=True) if not part.is_multipart() else part.get_payload(0).as_bytes()
    return [email.message_from_bytes(block, policy=email.policy.default.clone(utf8=True))
            for block in text.replace(b"\r\n", b"\n").strip(b"\n").split(b"\n\n")]


def check(name, recipients=(RECIPIENT,), **fields):
    """A report that is valid mail whatever it is about; returns it parsed."""
    eight, text = report(recipients, **fields)
    # What comes from our own configuration is only kept from ending a line: the parser may have its opinion of it.
    ours = set(fields) & {"hostname", "from", "to", "id", "about"}
    message = email.message_from_bytes(text, policy=email.policy.compat32 if ours else email.policy.default)
    problems = []
    if b"\r" in text.replace(b"\r\n", b"") or b"\n" in text.replace(b"\r\n", b"") or b"\0" in text:
        problems.append("line ends")
    if max(map(len, text.split(b"\r\n"))) > 998:
        problems.append("a long line")
    if eight != any(c > 127 for c in text):
        problems.append("eight_bit")
    if not ours and defects(message):
        problems.append(f"defects {defects(message)}")
    for field in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Auto-Submitted", "Content-Type"):
        if len(message.get_all(field, [])) != 1:
            problems.append(f"{field} {message.get_all(field)}")
    if message.get("Auto-Submitted") != "auto-replied" or message.get("Return-Path") or message.get("Bcc"):
        problems.append("fields")
    if {**BASE, **fields}["kind"] != DIGEST:
        parts = message.get_payload()
        if message.get_content_type() != "multipart/report" or \
                message.get_param("report-type") != "delivery-status" or len(parts) not in (2, 3):
            problems.append(f"structure {message.get_content_type()} of {len(parts)}")
        elif len(blocks(parts[1])) != 1 + len(recipients):
            problems.append(f"{len(blocks(parts[1]))} blocks")
        if any(c > 127 for c in text) and message["Content-Transfer-Encoding"] != "8bit":
            if octets({**BASE, **fields}["to"]).isascii():
                problems.append("Content-Transfer-Encoding")
    expect(name, not problems, (problems, text.decode("latin1")))
    return message


def words(message):
    return " ".join(list(message.iter_parts())[0].get_content().split())


def plain_kinds():
    m = check("a failure")
    parts = list(m.iter_parts())
    expect("  its fields", m["Subject"] == "Not delivered: Invoice 4411" and m["In-Reply-To"] == "<4411@example.org>" and
           m["References"] == "<1@example.org> <2@example.org> <4411@example.org>" and
           m["From"].addresses[0].addr_spec == "postmaster@example.org" and
           m["From"].addresses[0].display_name == "Mail system of mail.example.org" and
           m["To"].addresses[0].addr_spec == "app@example.org" and
           m["Message-ID"] == "<3591TJHR6EY3@mail.example.org>", m.as_string())
    first, ben = blocks(parts[1])
    expect("  for machines", first["Reporting-MTA"] == "dns; mail.example.org" and "+0000" in first["Arrival-Date"] and
           ben["Final-Recipient"] == "rfc822; ben@example.net" and ben["Action"] == "failed" and
           ben["Status"] == "5.1.1" and ben["Remote-MTA"] == "dns; mx1.example.net" and
           ben["Diagnostic-Code"] == "smtp; 550 5.1.1 unknown user" and not ben["Will-Retry-Until"] and
           not ben["Original-Recipient"] and not first["Original-Envelope-Id"], parts[1].as_string())
    inner = parts[2].get_payload(0)
    expect("  what is returned", parts[2].get_content_type() == "message/rfc822" and
           inner["Subject"] == "Invoice 4411" and inner.get_content().split() == ["hello"], parts[2].as_string())

    m = check("a delay", [{**RECIPIENT, "status": "4.7.1", "code": 451, "retry_until_msec": 1795900000000}], kind=DELAYED)
    parts = list(m.iter_parts())
    ben = blocks(parts[1])[1]
    expect("  for machines", ben["Action"] == "delayed" and "Will-Retry-Until" in ben and
           parts[2].get_content_type() == "text/rfc822-headers", m.as_string())
    check("one that cannot be returned", kind=DOUBLE)
    m = check("many of them", [{**RECIPIENT, "report": "3591TGCGG500"}] * 20, kind=DIGEST, left_out=22)
    expect("  a list", m["Subject"] == "Undeliverable reports: 42 in the last hour" and
           m.get_content_type() == "text/plain" and m.get_content().count("3591TGCGG500") == 20, m.as_string())
    m = check("without content", header="", body="")
    expect("  has two parts", len(list(m.iter_parts())) == 2, m.as_string())


def many_recipients():
    for n in (2, 3, 100, 300):
        some = [{**RECIPIENT, "address": f"r{i}@example.net", "attempts": 1 + i % 2} for i in range(n)]
        m = check(f"{n} recipients", some)
        got = [b["Final-Recipient"] for b in blocks(list(m.iter_parts())[1])[1:]]
        expect("  each named once", got == [f"rfc822; r{i}@example.net" for i in range(n)] and
               all(f"r{i}@example.net" in words(m) for i in range(n)), got)


def international():
    utf8 = {**RECIPIENT, "address": "bücher+λ@bücher.example"}
    m = check("an address beyond ASCII, 7 bits", [utf8])
    status = list(m.iter_parts())[1]
    expect("  in its ASCII form", status.get_content_type() == "message/delivery-status" and
           blocks(status)[1]["Final-Recipient"] == r"utf-8; b\x{FC}cher\x{2B}\x{3BB}@b\x{FC}cher.example",
           status.as_string())
    m = check("an address beyond ASCII, UTF-8", [utf8], utf8=1)
    status = list(m.iter_parts())[1]
    expect("  as it is", status.get_content_type() == "message/global-delivery-status" and
           "utf-8; bücher+λ@bücher.example".encode() in report([utf8], utf8=1)[1], status.get_content_type())
    m = check("a header beyond ASCII, 7 bits", header="Subject: grün\r\n\r\n", body="grün = 1\r\n" * 30)
    part = list(m.iter_parts())[2]
    expect("  is encoded", part.get_content_type() == "message/global" and
           part["Content-Transfer-Encoding"] == "quoted-printable", part.get_content_type())
    check("a header beyond ASCII, UTF-8", header="Subject: grün\r\n\r\n", body="grün\r\n", utf8=1)
    check("a return address beyond ASCII", to="bücher@bücher.example")
    check("a reply in UTF-8 and one in Latin-1", [{**RECIPIENT, "reply": "grün"}, {**RECIPIENT, "reply": b"gr\xfcn"}])
    for subject, want in (("Größe ∑", "Größe ∑"), (b"Gr\xf6\xdfe", "Gr??e"), ("=?utf-8?B?R3LDtsOfZQ==?= 7", "Größe 7"),
                          ("=?utf-8?Q?Gr=C3=B6?= =?utf-8?Q?=C3=9Fe?=", "Größe"), ("ä" * 60, "ä" * 60)):
        m = check(f"the subject {subject!r:.40}", subject=subject)
        expect("  can be read", m["Subject"] == "Not delivered: " + want, m["Subject"])


def hostile():
    crlf = "x\r\nBcc: evil@example.org\r\n\r\nBody\r\n.\r\n"
    for field in ("hostname", "from", "to", "id", "about", "sender", "subject", "message_id", "references"):
        m = check(f"line ends in {field}", **{field: crlf})
        expect("  end nothing", m["Bcc"] is None and m.is_multipart(), m.as_string())
    for field in ("address", "original", "status", "reply", "remote_mta", "remote_address"):
        check(f"line ends in {field} of a recipient", [{**RECIPIENT, field: crlf}])
        for long in ("x" * 5000, "\u03bb" * 5000, b"\xff" * 5000, "a " * 3000, "\0" * 3000):
            check(f"5000 octets in {field} of a recipient", [{**RECIPIENT, field: long, "expired": 1}])
    for field in ("hostname", "from", "id", "about", "subject", "message_id", "references"):
        for long in ("x" * 5000, "<" + "x" * 900 + ">", b"\xff" * 5000, "=?" + "x" * 300 + "?=", "a " * 3000):
            check(f"5000 octets in {field}", **{field: long})
    m = check("a thread of 80", references=" ".join(f"<{i}@example.org>" for i in range(80)))
    expect("  is all there", len(m["References"].split()) == 81, m["References"])
    for header, body in (("A: b\n\n", "c"), ("A: b\r\n", ""), ("\r\n", "x"), ("A: " + "b" * 2000 + "\r\n\r\n", "c"),
                         ("A: b\r\n\r\n", "c" * 2000 + "\r\n"), ("A: b\r\n\r\n", "c\0\r\n"), ("A: \0\r\n\r\n", "c\r\n"),
                         (b"A: \xff\r\n\r\n", b"c\r\n"), ("junk", "junk"), ("\r", "\n"), ("x\r\n\r\n", "--x--\r\n")):
        for full in (0, 1):
            for utf8 in (0, 1):
                check(f"returned: {header!r:.30} {body!r:.30} {full} {utf8}", header=header, body=body, full=full, utf8=utf8)
    body = "--report-3591TJHR6EY3-0\r\nContent-Type: text/html\r\n\r\nclick\r\n--report-3591TJHR6EY3-0--\r\n"
    m = check("a boundary in what is returned", body=body)
    expect("  divides nothing", len(list(m.iter_parts())) == 3 and
           re.sub("\r?\n", "\r\n", list(m.iter_parts())[2].get_payload(0).get_content()) == body, m.as_string())


plain_kinds()
many_recipients()
international()
hostile()
print(f"{len(failures)} failed")
sys.exit(1 if failures else 0)
