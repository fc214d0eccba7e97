"""Two hundred sentences as a service desk gets them, English and Dutch, from templates."""

from __future__ import annotations

from itertools import product

_ENGLISH = (
    "My {thing} has been broken since {day}, can somebody have a look?",
    "Where do I find the invoice for the {thing} that came on {day}?",
    "I would like to return the {thing}; it arrived {day} and does not fit.",
    "Please reset the password of my {thing} before {day}.",
    "Thanks, the {thing} works again since {day}.",
)
_DUTCH = (
    "Mijn {thing} doet het niet meer sinds {day}, kan iemand even kijken?",
    "Waar vind ik de factuur van de {thing} die {day} is geleverd?",
    "Ik wil de {thing} graag terugsturen; hij kwam {day} en past niet.",
    "Kunt u het wachtwoord van mijn {thing} opnieuw instellen voor {day}?",
    "Dank u, de {thing} werkt weer sinds {day}.",
)
_THINGS = ("printer", "laptop", "headset", "router", "scanner")
_DAYS = (("Monday", "maandag"), ("Tuesday", "dinsdag"), ("last week", "vorige week"), ("10 May", "10 mei"))

SENTENCES = [
    template.format(thing=thing, day=day[which])
    for which, templates in enumerate((_ENGLISH, _DUTCH))
    for template, thing, day in product(templates, _THINGS, _DAYS)
]
