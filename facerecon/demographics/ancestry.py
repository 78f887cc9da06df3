"""From stated race and ethnicity to the three ancestries that move the head's mean.

The three are MakeHuman's: african, asian, caucasian. How far a people leans to each is
a coarse prior for the shape of an average head, no statement about any person; the
photo itself decides the rest.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from facerecon.types import Demographics

ANCESTRIES = ("african", "asian", "caucasian")

_AFRICAN, _ASIAN, _CAUCASIAN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_AFRICAN_AMERICAN = (0.8, 0.0, 0.2)
_HORN = (0.65, 0.0, 0.35)
_NORTH_AFRICAN = (0.2, 0.0, 0.8)
_MIDDLE_EASTERN = (0.1, 0.05, 0.85)
_SOUTH_ASIAN = (0.15, 0.25, 0.6)
_SOUTHEAST_ASIAN = (0.15, 0.85, 0.0)
_CENTRAL_ASIAN = (0.0, 0.6, 0.4)
_LATINO = (0.15, 0.3, 0.55)
_ANDEAN = (0.05, 0.65, 0.3)
_CARIBBEAN = (0.75, 0.05, 0.2)
_NATIVE_AMERICAN = (0.0, 0.8, 0.2)
_PACIFIC = (0.35, 0.5, 0.15)
_MELANESIAN = (0.8, 0.15, 0.05)

_PEOPLES: dict[tuple[float, float, float], str] = {
    _AFRICAN: "african, black, sub saharan, nigerian, yoruba, igbo, hausa, ghanaian, akan, kenyan, kikuyu, luo, ugandan, "
    "tanzanian, congolese, cameroonian, senegalese, wolof, malian, ivorian, zulu, xhosa, south african, zimbabwean, shona, "
    "angolan, mozambican, rwandan, zambian, liberian, gambian, guinean, sierra leonean, bantu",
    _AFRICAN_AMERICAN: "african american, black american, afro american, black british, afro brazilian, afro latino, afro european",
    _HORN: "ethiopian, eritrean, somali, amhara, oromo, tigrinya, sudanese, habesha",
    _NORTH_AFRICAN: "north african, egyptian, moroccan, algerian, tunisian, libyan, berber, amazigh, maghrebi",
    _ASIAN: "asian, east asian, chinese, han, cantonese, taiwanese, japanese, korean, mongolian, tibetan, hong kong, manchu",
    _SOUTHEAST_ASIAN: "southeast asian, south east asian, vietnamese, kinh, thai, filipino, filipina, indonesian, javanese, "
    "malay, malaysian, burmese, cambodian, khmer, lao, laotian, hmong, singaporean, balinese",
    _CENTRAL_ASIAN: "central asian, kazakh, uzbek, kyrgyz, turkmen, uyghur, uighur, hazara, tatar",
    _SOUTH_ASIAN: "indian, south asian, pakistani, bangladeshi, bengali, sri lankan, sinhalese, tamil, punjabi, gujarati, "
    "marathi, telugu, malayali, nepali, nepalese, kashmiri, sindhi, goan, roma, romani",
    _MIDDLE_EASTERN: "middle eastern, arab, arabic, persian, iranian, iraqi, syrian, lebanese, palestinian, jordanian, saudi, "
    "yemeni, kurdish, kurd, turkish, turk, afghan, pashtun, israeli, mizrahi, armenian, azerbaijani, assyrian, emirati, druze, tajik",
    _CAUCASIAN: "caucasian, white, european, white american, english, british, irish, scottish, welsh, french, german, dutch, "
    "belgian, swiss, austrian, italian, sicilian, spanish, portuguese, greek, polish, czech, slovak, hungarian, romanian, "
    "bulgarian, serbian, croatian, bosnian, slovenian, albanian, russian, ukrainian, belarusian, lithuanian, latvian, estonian, "
    "finnish, swedish, norwegian, danish, icelandic, scandinavian, nordic, slavic, celtic, basque, catalan, jewish, ashkenazi, "
    "sephardic, georgian, mediterranean, anglo, maltese, cypriot, australian, canadian",
    _LATINO: "hispanic, latino, latina, latinx, latino hispanic, hispanic latino, hispanic american, mexican, mestizo, mestiza, "
    "colombian, venezuelan, chilean, salvadoran, honduran, nicaraguan, costa rican, panamanian, paraguayan, brazilian, cuban, "
    "puerto rican, dominican, argentinian, argentine, uruguayan, chicano, chicana",
    _ANDEAN: "peruvian, bolivian, ecuadorian, guatemalan, quechua, aymara, maya, mayan, nahua",
    _CARIBBEAN: "caribbean, afro caribbean, jamaican, haitian, barbadian, bahamian, west indian, trinidadian",
    _NATIVE_AMERICAN: "native american, american indian, first nations, inuit, eskimo, navajo, cherokee, alaska native, metis",
    _PACIFIC: "pacific islander, polynesian, samoan, tongan, hawaiian, native hawaiian, maori, micronesian, tahitian, chamorro",
    _MELANESIAN: "melanesian, fijian, papuan, solomon islander, aboriginal, aboriginal australian, torres strait islander",
}
_BY_NAME = {name.strip(): weights for weights, names in _PEOPLES.items() for name in names.split(",")}
_LONGEST_NAME = max(len(name.split()) for name in _BY_NAME)
# Words that say nothing of ancestry, and need no remark.
_FILLERS = frozenset("a an and of or the half part quarter mixed mix with descent origin heritage ancestry american people".split())


def ancestry_weights(race: str | None, ethnicity: str | None = None) -> np.ndarray | None:
    """Ancestry weights of a stated race and ethnicity.

    A known ethnicity, being the more precise, stands before the race; several of them
    ("Japanese and Irish") are averaged.

    Args:
        race: a member of ``RACES``, or what FairFace, UTKFace or DeepFace call it.
        ethnicity: free text.

    Returns:
        (3,) float32 that sum to one, in the order of ``ANCESTRIES``; None when neither says anything.
    """
    for text in (ethnicity, race):
        found, _ = _read(text)
        if found:
            return np.mean(found, axis=0, dtype=np.float64).astype(np.float32)
    return None


def unused_words(ethnicity: str | None) -> list[str]:
    """Those words of an ethnicity that are in no table and so move nothing."""
    return _read(ethnicity)[1]


def notes(person: Demographics) -> list[str]:
    """One sentence for each thing stated that has no effect on the head's mean."""
    unused = unused_words(person.ethnicity)
    if not unused:
        return []
    words = ", ".join(repr(word) for word in unused)
    return [f"The ethnicity's {'word' if len(unused) == 1 else 'words'} {words} moved nothing: no people of that name is known."]


def _read(text: str | None) -> tuple[list[tuple[float, float, float]], list[str]]:
    """Weights of each people named, the longest names first, and the words left over."""
    words = _words(text)
    found, unused, at = [], [], 0
    while at < len(words):
        for length in range(min(_LONGEST_NAME, len(words) - at), 0, -1):
            weights = _weights_of(" ".join(words[at : at + length]))
            if weights:
                found.append(weights)
                at += length
                break
        else:
            if words[at] not in _FILLERS and words[at] != "unknown":
                unused.append(words[at])
            at += 1
    return found, unused


def _weights_of(name: str) -> tuple[float, float, float] | None:
    plural = name[:-1] if name.endswith("s") else name
    return _BY_NAME.get(name) or _BY_NAME.get(plural)


def _words(text: str | None) -> list[str]:
    plain = unicodedata.normalize("NFKD", text or "").encode("ascii", "ignore").decode().lower()
    ascii_words = re.findall(r"[a-z]+", plain)
    return ascii_words or re.findall(r"\w+", (text or "").lower())
