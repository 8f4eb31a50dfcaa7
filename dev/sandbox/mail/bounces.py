"""Reports that a mail came back, as mail servers write them (RFC 3464)."""

from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.parser import HeaderParser
from email.policy import SMTP


def report(
    *,
    to: str,
    address: str,
    status: str = "5.1.1",
    action: str = "failed",
    said: str = "smtp; 550 No such mailbox",
    headers: str = "",
) -> bytes:
    """Write the report about a mail.

    Args:
        to: where it came back to, the sender of its envelope.
        address: whom it was for.
        status: the code of RFC 3463.
        action: `failed`, or `delayed` where it may arrive later.
        said: what the server of the address said.
        headers: of the mail, with which the report ends.
    """
    message = MIMEMultipart("report")
    message.set_param("report-type", "delivery-status")
    message["From"] = "Mail Delivery System <MAILER-DAEMON@mail.sandbox>"
    message["To"] = to
    message["Subject"] = "Undelivered Mail Returned to Sender"
    message["Auto-Submitted"] = "auto-replied"
    message.attach(MIMEText("Your mail could not be delivered.\n"))
    of_mail, of_address = Message(), Message()
    of_mail["Reporting-MTA"] = "dns; mail.sandbox"
    of_address["Final-Recipient"] = f"rfc822; {address}"
    of_address["Action"] = action
    of_address["Status"] = status
    of_address["Diagnostic-Code"] = said
    status_part = MIMEMessage(Message(), "delivery-status")
    status_part.set_payload([of_mail, of_address])
    message.attach(status_part)
    returned = HeaderParser(policy=SMTP).parsestr(headers)
    original = EmailMessage(policy=SMTP)
    for name in ("From", "To", "Subject", "Message-ID"):
        if returned[name]:
            original[name] = returned[name]
    headers_part = MIMEText(original.as_string(), "rfc822-headers")
    message.attach(headers_part)
    return message.as_bytes(policy=SMTP)
