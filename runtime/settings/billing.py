"""Settings of invoices, taxes, documents and mail."""

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from domain.billing.document.content import Party
from domain.billing.legal_entity import LegalEntities, LegalEntity, entities_from
from domain.billing.tax.sale import SaleRules
from domain.books.accounting import parse_codes
from domain.common.errors import Invalid
from domain.common.mail import GIVE_UP_AFTER, checked_address
from domain.common.money import amounts_from
from domain.payments.dunning import DUNNING_DAYS, check_days
from domain.payments.payment.terms import PurposeKind
from runtime.settings.part import AmountsSetting, SettingsPart


class BillingSettings(SettingsPart):
    unpaid_usage_limit: AmountsSetting = amounts_from("10000.00")
    usage_invoice_day: int = Field(default=1, ge=1, le=28)
    dunning_days: str = ",".join(str(day) for day in DUNNING_DAYS)
    accounting_codes: str = "{}"

    tax_country: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    credits_taxed_at: Literal["use", "sale"] = "use"
    credit_prices_include_tax: bool = False
    agent_prices_include_tax: bool = False
    slot_prices_include_tax: bool = False
    legal_entity: str | None = None
    legal_entities: str = "[]"
    vat_number: str | None = Field(default=None, pattern="^[A-Z]{2}[0-9A-Z+*]{2,12}$")
    vies_url: str = "https://ec.europa.eu/taxation_customs/vies/rest-api"
    tax_service_url: str | None = Field(default=None, pattern="^https?://")
    tax_service_key: SecretStr | None = None
    tax_service_timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(seconds=60))
    tax_service_give_up_after: timedelta = Field(
        default=timedelta(days=3), ge=timedelta(minutes=10), le=timedelta(days=14)
    )

    mail_host: str | None = None
    mail_port: int = Field(default=587, ge=1, le=65535)
    mail_tls: Literal["starttls", "tls", "none"] = "starttls"
    mail_username: str | None = None
    mail_password: SecretStr | None = None
    mail_sender: str | None = None
    mail_sender_name: str = Field(default="Bursar", min_length=1, max_length=100)
    mail_templates: Path | None = None
    mail_bounces: str | None = None
    mail_give_up_after: timedelta = Field(default=GIVE_UP_AFTER, ge=timedelta(minutes=10), le=timedelta(days=14))

    seller_name: str | None = None
    seller_line1: str | None = None
    seller_line2: str | None = None
    seller_postcode: str | None = None
    seller_city: str | None = None
    seller_country: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    seller_vat_id: str | None = None
    seller_tax_number: str | None = None
    seller_registration: str | None = None
    seller_email: str | None = None
    document_templates: Path | None = None

    @property
    def account_codes(self) -> dict[str, str]:
        """What lines of the chart of accounts are called in the program that journals are imported into."""
        return parse_codes(self.accounting_codes)

    @property
    def dunned_on(self) -> tuple[int, ...]:
        """When invoices are dunned, in days after the first charge or the due date."""
        return check_days([int(day) for day in self.dunning_days.split(",")])

    @property
    def sale_rules(self) -> SaleRules | None:
        """What is taxed when it is paid, and how: agents and slots where anything is, credits by their setting."""
        others = {code: each.tax_country for code, each in self.entities.others.items()}
        taxed: dict[str, bool] = {}
        if self.tax_service_url is not None or any((self.tax_country, *others.values())):
            taxed[PurposeKind.PURCHASE.value] = self.agent_prices_include_tax
            taxed[PurposeKind.SLOT.value] = self.slot_prices_include_tax
        if self.credits_taxed_at == "sale":
            taxed[PurposeKind.CREDITS.value] = self.credit_prices_include_tax
        return SaleRules(seller_country=self.tax_country, includes_tax=taxed, others=others) if taxed else None

    @cached_property
    def entities(self) -> LegalEntities:
        """Who sells: the entity of the settings above, and those of `BURSAR_LEGAL_ENTITIES`, JSON or a file's path."""
        text = self.legal_entities
        if not text.lstrip().startswith("["):
            try:
                text = Path(text).read_text("utf-8")
            except OSError as error:
                raise Invalid(f"cannot be read: {error.strerror}") from None
        usual = LegalEntity(code=self.legal_entity, seller=self.seller, tax_country=self.tax_country)
        others = entities_from(text)
        if usual.code in others:
            raise Invalid("names the usual entity, BURSAR_LEGAL_ENTITY")
        return LegalEntities(usual, others)

    @property
    def seller(self) -> Party | None:
        """The seller on documents; None if it is not set."""
        if self.seller_name is None:
            return None
        return Party(
            name=self.seller_name,
            line1=self.seller_line1,
            line2=self.seller_line2,
            postcode=self.seller_postcode,
            city=self.seller_city,
            country=self.seller_country or self.tax_country,
            vat_id=self.seller_vat_id,
            tax_number=self.seller_tax_number,
            registration=self.seller_registration,
            email=self.seller_email,
        )

    @field_validator("document_templates")
    @classmethod
    def _templates_are_there(cls, folder: Path | None) -> Path | None:
        """Refuse a folder of templates that has none when the process starts, and not at the first document."""
        if folder is not None and not (folder / "document.typ").is_file():
            raise ValueError("The folder has no file document.typ.")
        return folder

    @field_validator("dunning_days")
    @classmethod
    def _days_rise(cls, value: str) -> str:
        """Refuse days that are none, or in another order than they come in."""
        try:
            check_days([int(day) for day in value.split(",")])
        except ValueError:
            raise ValueError("BURSAR_DUNNING_DAYS are up to 20 rising days from 1 to 365, such as 3,7,14,21.") from None
        return value

    @field_validator("mail_templates")
    @classmethod
    def _mail_templates_are_there(cls, folder: Path | None) -> Path | None:
        """Refuse a folder that has none of the templates, which would change nothing unnoticed."""
        if folder is not None and not any((folder / name).is_file() for name in ("mail.html", "mail.txt")):
            raise ValueError("The folder has neither a file mail.html nor mail.txt.")
        return folder

    @field_validator("mail_sender")
    @classmethod
    def _mail_has_a_sender(cls, value: str | None) -> str | None:
        try:
            return None if value is None else checked_address(value)
        except Invalid as error:
            raise ValueError(error.detail) from None

    @field_validator("mail_bounces")
    @classmethod
    def _bounces_have_an_address(cls, value: str | None) -> str | None:
        """Refuse what is no address, or one that leaves no room for what is added to its name."""
        try:
            address = None if value is None else checked_address(value)
        except Invalid as error:
            raise ValueError(error.detail) from None
        if address is not None and len(address.partition("@")[0]) > 30:
            raise ValueError("Its name must be at most 30 characters, because 33 are added to it.")
        return address

    @field_validator("mail_sender_name")
    @classmethod
    def _sender_is_one_line(cls, value: str) -> str:
        """Refuse a name that would end its header."""
        if not value.isprintable():
            raise ValueError("BURSAR_MAIL_SENDER_NAME must be one line of visible characters.")
        return value

    @model_validator(mode="after")
    def _mail_is_whole_and_private(self) -> Self:
        """Refuse half of a mail server, and a password that would cross a network in clear."""
        if (self.mail_host is None) != (self.mail_sender is None):
            raise ValueError("BURSAR_MAIL_HOST and BURSAR_MAIL_SENDER go together: set both or neither.")
        if (self.mail_username is None) != (self.mail_password is None):
            raise ValueError("BURSAR_MAIL_USERNAME and BURSAR_MAIL_PASSWORD go together: set both or neither.")
        if self.mail_tls == "none" and self.mail_password is not None:
            raise ValueError("BURSAR_MAIL_PASSWORD is not sent in clear: set BURSAR_MAIL_TLS to starttls or tls.")
        return self

    @model_validator(mode="after")
    def _tax_service_key_is_private(self) -> Self:
        """Refuse a key without a service, and one that would cross a network in clear."""
        if self.tax_service_key is None:
            return self
        url = urlsplit(self.tax_service_url or "")
        if url.scheme != "https" and url.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError("BURSAR_TAX_SERVICE_KEY needs BURSAR_TAX_SERVICE_URL with https.")
        return self

    @model_validator(mode="after")
    def _sales_are_taxed_somewhere(self) -> Self:
        if self.credits_taxed_at == "sale" and self.tax_country is None:
            raise ValueError("BURSAR_CREDITS_TAXED_AT=sale needs BURSAR_TAX_COUNTRY, the seller's country.")
        return self
