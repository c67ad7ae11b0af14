"""What personal data looks like: patterns with their check digits, and names of columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl


def luhn(text: str) -> bool:
    """Return True when the digits of a card number add up (ISO/IEC 7812-1, annex B)."""
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def iban(text: str) -> bool:
    """Return True when an account number's check digits are right (ISO 13616, ISO 7064 97-10)."""
    plain = re.sub(r"\s", "", text).upper()
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def ean13(text: str) -> bool:
    """Return True when the last of 13 digits is right, as in a Swiss AHV number (GS1)."""
    digits = [int(c) for c in text if c.isdigit()]
    return sum(digits[::2]) % 10 == (-3 * sum(digits[1::2])) % 10


def french(text: str) -> bool:
    """Return True when the key of a French NIR is right (97 less the number modulo 97)."""
    plain = re.sub(r"\s", "", text).upper().replace("2A", "19").replace("2B", "18")
    return int(plain[-2:]) == 97 - int(plain[:-2]) % 97


def german(text: str) -> bool:
    """Return True for a German tax id: one digit twice or thrice, ISO 7064 modulus 11, 10."""
    digits = [int(c) for c in text if c.isdigit()]
    product = 10
    for digit in digits[:-1]:
        product = 2 * ((digit + product) % 10 or 10) % 11
    return (11 - product) % 10 == digits[-1] and len(set(digits[:-1])) in (8, 9)


def spanish(text: str) -> bool:
    """Return True when the letter of a Spanish DNI fits its number (modulo 23)."""
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(text[:8]) % 23] == text[-1].upper()


def brazilian(text: str) -> bool:
    """Return True when both check digits of a Brazilian CPF are right (modulo 11)."""
    digits = [int(c) for c in text if c.isdigit()]
    ends = [
        sum(d * (size - i) for i, d in enumerate(digits[: size - 1])) * 10 % 11 % 10
        for size in (10, 11)
    ]
    return digits[9:] == ends and len(set(digits)) > 1


@dataclass(frozen=True)
class Kind:
    """A kind of personal data: what it is called, what a cell of it and its column look like.

    `cell` matches a whole cell, and `check` proves it. `name` matches names of columns. `share` of
    the distinct cells must be of the kind, or `named` of them where the name says so; a share
    above 1 needs the name.
    """

    words: str
    cell: str
    name: str = ""
    check: Callable[[str], bool] | None = None
    share: float = 0.5
    named: float = 0.2

    def named_so(self, column: str) -> bool:
        """Return True when a column's name says that it holds this."""
        return bool(self.name) and re.search(self.name, spaced(column)) is not None

    def share_of(self, cells: pl.Series) -> float:
        """Return which share of the text cells (n,) are of this kind."""
        hits = cells.filter(cells.str.contains(f"^(?:{self.cell})$"))
        if self.check is not None:
            hits = hits.filter(pl.Series([self.check(cell) for cell in hits], dtype=pl.Boolean))
        return len(hits) / max(len(cells), 1)


def spaced(column: str) -> str:
    """Return a column's name in small words: `customerFirst_Name` is `customer first name`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column)
    return re.sub(r"[\W_]+", " ", apart).lower().strip()


GIVEN = (
    "aaron abdul adam ahmed aisha alan albert alberto alejandro alexander alexandra ali alice "
    "amanda amelia amy ana andrea andreas andrew angela anna anne anthony antonio arthur "
    "ashley barbara beatrice benjamin bernard betty brandon brenda brian bruno carla carlos "
    "carmen carol caroline catherine charles charlotte christian christina christine "
    "christopher claire claudia cynthia daniel daniela david deborah dennis diana diego "
    "dmitri donald donna dorothy edward elena elisabeth elizabeth emily emma eric erik eva "
    "evelyn fatima felix fernando florian francesca francesco francisco frank franz frederick "
    "gabriel gary george gerald giovanni giulia giuseppe gloria gregory hannah hans harold "
    "heather heinz helen henry hugo ibrahim igor ines isabella ivan jack jacob jacqueline "
    "james jan jane janet jason javier jean jeffrey jennifer jeremy jessica joan johan johann "
    "johannes john jonathan jorge jose joseph joshua joyce juan judith juergen julia julie "
    "justin karen katherine kathleen keith kenneth kevin kimberly klaus larry laura lauren "
    "lawrence leo leon linda lisa louis louise luca lucas lucia luis lukas marco marcus "
    "margaret maria marie mario mark markus marta martha martin mary matteo matthew megan "
    "melissa michael michel michelle miguel mohamed mohammed monica nancy natalia natalie "
    "nathan nicholas nicole nina noah olga oliver olivia omar pablo pamela patricia patrick "
    "paul pedro peter philip philippe pierre rachel raj ralph raymond rebecca renate richard "
    "robert roberto roger ronald rosa roy russell ruth ryan samantha samuel sandra sara sarah "
    "scott sean sebastian sergey sergio sharon shirley silvia simon sofia sophie stefan "
    "stephanie stephen steven susan svetlana teresa theresa thomas tiffany timothy tobias "
    "tyler ursula valentina victoria vincent virginia walter wei wilhelm william wolfgang yan "
    "yusuf zachary zoe "
)
"""Frequent given names of several languages, in small letters."""
NAME_PART = r"[\p{Lu}][\p{L}'’.-]*"
TITLE = r"(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Mme|Monsieur|Madame|Sr|Sra|Signor|Signora)\.?"
STREETS = r"street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|terrace|close"
PHONE_NAME = r"\b(?:phone|telephone|tel|mobile|cell|fax|telefon|handy|telefono|téléphone)\b"
GIVEN_RE = "|".join(GIVEN.split())

_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_ROADS = r"rue|avenue|boulevard|chemin|place|quai|impasse"
_STREET = (
    rf"(?i)\d+\w?,? .*\b(?:{STREETS})\b.*"
    r"|.*(?:strasse|straße|str\.|weg|gasse|platz|allee) ?\d+.*"
    rf"|\d+\w?,? (?:{_ROADS})\b.*"
    r"|(?:via|viale|piazza|calle|avenida|rua) .*\d+.*"
)
_PERSON = (
    rf"{TITLE} {NAME_PART}.*"
    rf"|(?i:{GIVEN_RE}) (?:{NAME_PART} ?){{1,3}}"
    rf"|{NAME_PART}, (?:{TITLE} )?(?i:{GIVEN_RE})\b.*"
)
_SSN = r"(?:00[1-9]|0[1-9]\d|[1-578]\d\d|6[0-57-9]\d|66[0-57-9])-\d{2}-\d{4}"
_NINO = r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"
_CALL = r"(?:\+|00)\d[\d\s()./-]{6,18}\d|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4}"
_LAST_NAME = (
    r"\b(?:last|family|sur|full|maiden|patient|customer|client|employee|person|contact) ?name\b"
    r"|\b(?:nachname|nom de famille|apellido|cognome)\b"
)
_FIRST_NAME = r"\b(?:first|given|fore) ?name\b|\bvorname\b|\bpr[eé]nom\b"
_NIR = r"[12] ?\d{2} ?\d{2} ?\d[0-9AB] ?\d{3} ?\d{3} ?\d{2}"
_CODICE = r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]"
_IP = rf"(?:{_BYTE}\.){{3}}{_BYTE}|(?:[0-9a-fA-F]{{1,4}}:){{7}}[0-9a-fA-F]{{1,4}}"

KINDS: tuple[Kind, ...] = (
    Kind("e-mail addresses", r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}", r"\be ?mail\b"),
    Kind("bank account numbers", r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}", r"\biban\b", iban),
    Kind("card numbers", r"[3-6]\d{3}(?:[ -]?\d){9,15}", r"\bcard\b", luhn, 0.8, 0.5),
    Kind("US social security numbers", _SSN, r"\b(?:ssn|social security)\b"),
    Kind("UK national insurance numbers", _NINO, r"\b(?:nino|national insurance)\b"),
    Kind("Swiss AHV numbers", r"756(?:\.?\d{4}){2}\.?\d{2}", r"\b(?:ahv|avs|oasi)\b", ean13),
    Kind("French social security numbers", _NIR, r"\bnir\b", french, 0.8),
    Kind("German tax numbers", r"[1-9]\d(?: ?\d{3}){3}", r"\b(?:steuer|tax) ?id\b", german, 0.8),
    Kind("Spanish identity numbers", r"\d{8}-?[A-Za-z]", r"\bdni\b", spanish, 0.8),
    Kind("Italian tax codes", _CODICE, r"\bcodice fiscale\b"),
    Kind("Brazilian taxpayer numbers", r"(?:\d{3}\.?){3}-?\d{2}", r"\bcpf\b", brazilian, 0.8),
    Kind("internet addresses (IP)", _IP, r"\bip\b"),
    Kind("telephone numbers", _CALL, PHONE_NAME),
    Kind("telephone numbers", r"[\d\s()./-]{7,20}", PHONE_NAME, share=2.0, named=0.5),
    Kind("postal addresses", _STREET, r"\b(?:address|adresse|street|strasse)\b"),
    Kind("positions on the map", r"-?\d{1,2}\.\d{4,}, ?-?\d{1,3}\.\d{4,}"),
    Kind("names of persons", _PERSON, share=0.3),
    Kind("given names", rf"(?i:{GIVEN_RE})", _FIRST_NAME, share=0.4, named=0.1),
    Kind("names of persons", rf"{NAME_PART}(?:,? {NAME_PART}){{0,4}}", _LAST_NAME, share=2.0),
)
"""Kinds told by their cells, surest first; a column is of the first that fits."""

BIRTH = (
    r"\b(?:birth|birthday|birthdate|dob|born|geburtsdatum|geburtstag|naissance|nacimiento"
    r"|nascita)\b"
)
PLACE = r"\b(?:lat|latitude|lon|lng|longitude)\b|^(?:geo |gps )?long$"
INSIDE = {
    "e-mail addresses": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}",
    "telephone numbers": r"(?:^|\s)\+\d[\d ().-]{7,16}\d\b",
}
"""What free text may hold."""
