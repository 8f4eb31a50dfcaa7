"""Mails are rendered by their template, whatever names they contain."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from composition import make_mailer
from domain.common.mail import MailText
from providers.notify.base import Message
from providers.notify.mail_templates import _NEEDED, HTML, TEMPLATES, TEXT, InvalidTemplate, MailTemplates
from runtime.database import Database
from runtime.settings import WrongSettings, read_settings

BAD = '"><script>alert(1)</script><img src=x onerror=y> $link ${nothing} {0}'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags, self.links, self.text = set[str](), set[str | None](), ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value for name, value in attrs if name in {"href", "src"}}
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def message(words: MailText, unsubscribe: str | None = None, language: str = "en") -> Message:
    return Message(to=("a@b.example",), language=language, words=words, unsubscribe=unsubscribe)


def test_text_of_strangers_is_escaped() -> None:
    link, off = 'https://x.example/?a="><script>&b=1', "https://x.example/off?a=1&token='\">"
    words = MailText(subject=BAD, paragraphs=(BAD, "Second."), link=link)
    done = MailTemplates(BAD).render(message(words, off))
    page = Tags()
    page.feed(done.html)
    assert page.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "table",
        "tr",
        "td",
        "div",
        "h1",
        "p",
        "a",
        "br",
    }
    assert page.links == {link, off}
    assert page.text.count(BAD) == 5
    assert done.text.startswith(f"{BAD}\n\nSecond.\n\n{link}\n\n-- \n{BAD}\n")


def test_mail_loads_nothing_and_declares_both_color_schemes() -> None:
    done = MailTemplates("Acme").render(message(MailText(subject="s", paragraphs=("p",))))
    assert '<meta name="color-scheme" content="light dark">' in done.html
    assert "prefers-color-scheme: dark" in done.html
    assert not any(word in done.html for word in ("http:", "https:", "url(", "@import", "<img", "<script"))
    assert 'class="button"' not in done.html.partition("<body>")[2]
    assert (
        done.text
        == "p\n\n-- \nAcme\nThis mail was sent automatically by Acme, because it concerns your organization.\n"
    )


def test_an_operator_replaces_one_template_and_keeps_the_other(tmp_path: Path) -> None:
    (tmp_path / HTML).write_text("<b>$platform: $subject, $$5</b> $paragraphs $link $unsubscribe")
    done = MailTemplates("Acme", tmp_path).render(message(MailText(subject="<s>", paragraphs=("p",))))
    assert done.html.split() == ["<b>Acme:", "&lt;s&gt;,", "$5</b>", "<p>p</p>"]
    assert done.text == MailTemplates("Acme").render(message(MailText(subject="<s>", paragraphs=("p",)))).text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("$platform $paragraphs $link", "lacks the place $unsubscribe"),
        ("$platform $paragraphs $link $unsubscribe $secret", "has the place $secret"),
        ("$platform $paragraphs $link $unsubscribe for 5 $ each", "dollar sign"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path, template: str, said: str) -> None:
    (tmp_path / TEXT).write_text(template)
    with pytest.raises(InvalidTemplate, match=said.replace("$", r"\$")):
        MailTemplates("Acme", tmp_path)
    given = {"MAIL_HOST": "127.0.0.1", "MAIL_SENDER": "a@b.example", "MAIL_TEMPLATES": str(tmp_path)}
    settings = read_settings({f"BURSAR_{name}": value for name, value in given.items()})
    with pytest.raises(WrongSettings, match=r"BURSAR_MAIL_TEMPLATES: .*mail\.txt"):
        make_mailer(settings, Database(settings.database_url, settings.platform_database_url))


def test_a_folder_without_templates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match=r"mail\.html"):
        read_settings({"BURSAR_MAIL_TEMPLATES": str(tmp_path)})


def test_both_templates_come_with_the_product() -> None:
    assert all((TEMPLATES / name).is_file() for name in (HTML, TEXT))
    assert "subject" not in _NEEDED  # a text shows it in its header
