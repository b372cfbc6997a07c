"""What the mail libraries of Python do with a server; started by e2e/interop.rs."""

import email
import imaplib
import os
import smtplib
import ssl
import time
from email import policy
from email.message import EmailMessage

PASSWORD = os.environ["PASSWORD"]
TLS = ssl.create_default_context(cafile=os.environ["CA"])
TIMEOUT = 20


def letter(subject):
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "bob@demo.test"
    message["To"] = "alice@demo.test"
    message["Subject"] = subject
    message.set_content("Grüße\n.\n..\n", cte="8bit")
    message.add_attachment(bytes(range(256)) * 300, maintype="application", subtype="octet-stream",
                           filename="bytes.bin")
    return message


def submit():
    with smtplib.SMTP("localhost", int(os.environ["SUBMISSION"]), timeout=TIMEOUT) as smtp:
        smtp.starttls(context=TLS)
        smtp.login("bob@demo.test", PASSWORD)
        assert smtp.send_message(letter("over STARTTLS")) == {}
    port = int(os.environ["SUBMISSIONS"])
    with smtplib.SMTP_SSL("localhost", port, timeout=TIMEOUT, context=TLS) as smtp:
        try:
            smtp.login("bob@demo.test", "wrong")
            raise AssertionError("a wrong password is accepted")
        except smtplib.SMTPAuthenticationError as error:
            assert error.smtp_code == 535, error
        smtp.login("bob@demo.test", PASSWORD)
        assert smtp.send_message(letter("over TLS")) == {}


def ok(answer):
    status, data = answer
    assert status == "OK", answer
    return data


def wait_for(imap, count):
    deadline = time.monotonic() + TIMEOUT
    while ok(imap.select("INBOX")) != [str(count).encode()]:
        assert time.monotonic() < deadline, "the mail does not arrive"
        time.sleep(0.1)


def read():
    port = int(os.environ["IMAPS"])
    with imaplib.IMAP4_SSL("localhost", port, ssl_context=TLS, timeout=TIMEOUT) as imap:
        ok(imap.login("alice@demo.test", PASSWORD))
        wait_for(imap, 2)
        assert ok(imap.search(None, "SUBJECT", '"over TLS"')) in ([b"1"], [b"2"])
        for number in ("1", "2"):
            octets = ok(imap.fetch(number, "(BODY.PEEK[])"))[0][1]
            message = email.message_from_bytes(octets, policy=policy.SMTP)
            text, attachment = message.iter_parts()
            assert text.get_content().splitlines() == ["Grüße", ".", ".."], text.get_content()
            assert attachment.get_content() == bytes(range(256)) * 300
        ok(imap.create("Archive/2024"))
        ours = letter("kept").as_bytes()
        ok(imap.append("Archive/2024", r"(\Seen)", imaplib.Time2Internaldate(1e9), ours))
        ok(imap.copy("1", "Archive/2024"))
        ok(imap.store("1", "+FLAGS", r"(\Deleted)"))
        assert ok(imap.expunge()) == [b"1"]
        assert ok(imap.select("Archive/2024", readonly=True)) == [b"2"]
        data = ok(imap.uid("FETCH", "1", "(FLAGS INTERNALDATE BODY[])"))
        assert data[0][1] == ours, "APPEND and FETCH change nothing"
        assert rb"\Seen" in data[0][0] + data[1], data
        names = b" ".join(ok(imap.list()))
        assert b"Archive/2024" in names, names
        ok(imap.close())


submit()
read()
