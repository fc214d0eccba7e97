"""Two hundred different sentences for measuring how far quantised embeddings drift.

Written for this repository: what people write to a service desk, in English and Dutch, short and long, with
numbers, names and code in between, because an embedding drifts differently on each of these.
"""

from __future__ import annotations

_WHO = [
    "My colleague in accounting",
    "The new intern",
    "Nobody on the second floor",
    "A customer from Ghent",
    "Our driver",
    "De boekhoudster",
    "Een klant uit Utrecht",
    "Iemand van de nachtploeg",
    "The supplier of the seedlings",
    "Dr. O'Neill (building C)",
]
_WHAT = [
    "cannot print the delivery note since this morning.",
    "asks why invoice 2024-0187 was paid twice.",
    "forgot the password again and is locked out after five attempts.",
    "wants to move the meeting of Thursday to next week, before 10:30 if possible.",
    "says that the heating makes a loud noise.",
    "krijgt foutmelding 0x80070005 bij het opslaan van een bestand.",
    "vraagt wanneer de bestelling van 24 stoelen geleverd wordt.",
    "would like to know how many days of leave are left this year, and whether the days of last year, "
    "which could not be taken because of the audit, may still be added to them.",
    "found a wallet in the canteen.",
    "needs `SELECT name FROM customer WHERE id = 12` to run faster.",
]
_SHORT = [
    "Hello!",
    "Thanks, that works.",
    "Waar is de sleutel?",
    "42",
    "Printer broken",
    "Ik ben morgen ziek.",
    "Where do I park?",
    "ok",
    "Factuur in bijlage.",
    "Please call me back at 4 pm.",
]
_LONG = [
    "When the lift stops between two floors, press the yellow button, wait for the voice and tell it the "
    "number on the plate above the door; the fire brigade is warned at the same time and needs about ten "
    "minutes, so there is no reason to open the doors yourself.",
    "De vergoeding voor thuiswerken wordt per kwartaal uitbetaald, op voorwaarde dat de dagen vooraf in de "
    "planning staan en dat de leidinggevende ze heeft goedgekeurd; wie in de loop van het kwartaal van team "
    "verandert, vraagt de goedkeuring opnieuw aan.",
    "A quote is valid for thirty days, is written in the language of the customer, shows the price without "
    "and with tax on separate lines, and is never sent before a second person has read it.",
    "The backup runs at two at night, copies what changed since the day before to the machine in the other "
    "building, and once a week somebody has to restore one file, chosen at random, to prove that it works.",
    "Wie een laptop verliest, belt eerst de servicedesk, zodat de toegang geblokkeerd wordt, en doet daarna "
    "aangifte bij de politie; zonder het nummer van de aangifte betaalt de verzekering niets terug.",
]


def sentences() -> list[str]:
    """The two hundred: 100 combined, 50 short ones with a name or number, 50 long ones with a case number."""
    combined = [f"{who} {what}" for who in _WHO for what in _WHAT]
    short = [f"{text} {word}" for text in _SHORT for word in ("", "Anna", "7", "urgent", "aub")]
    long = [f"Case {number}: {text}" for text in _LONG for number in range(310, 320)]
    return [text.strip() for text in (*combined, *short, *long)]
