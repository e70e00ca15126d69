"""Deterministic texts, plain and odd, for everything that cleans or cuts texts."""

import random

ALPHABETS = {
    "ascii": "".join(map(chr, range(0x20, 0x7F))),
    "latin": "àéîõüñçøßæœÀÉÎÕÜÑÇØıİſ",
    "marks": "aeiou\u0300\u0301\u0308\u0327\u20dd\u0345\u0f71",
    "greek": "αβγδΣσςΆώϐ ΐ",
    "arabic": "ابتثجحخدذر\u064b\u064e\u0651\u200f\u202b\u202c \ufdfa",
    "hebrew": "אבגדהוזח\u05b0\u05bc\u200e ",
    "hangul": "가나다\u1100\u1161\u11a8각\u3131 ",
    "chinese": "的一是不了人我在有他這為之大\U00020000\U0002f800\u3400，。",
    "japanese": "ひらがなカタカナﾊﾝｶｸ゛漢字ー",
    "thai": "ภาษาไทยกำลัง\u0e33 ",
    "hindi": "हिन्दी\u200d\u200cक्षत्र ",
    "wide": "ＡＢＣａｂｃ１２３！？\u3000",
    "ligatures": "ﬁﬂﬀﬃǆĳ№™①½²₃ⅷ",
    "emoji": "😀😂👍🏽👩\u200d❤\ufe0f🇩🇪\U000e0067",
    "digits": "0123456789٠١٢۳४๔𝟘𝟙",
    "control": "\x00\x01\x07\x08\x1b\x1c\x1f\x7f\x80\x85\x91\x92\x96\x9f\ufeff\u200b\u2060\u00ad\t\r\n\v\f",
    "blanks": " \u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u180e\ta",
    "surrogates": "\ud800\udbff\udc00\udfffa\ud7ff\ue000",
    "nowhere": "\ufffd\ufffe\uffff\U0010ffff\ue123\U000f1234\u0378",
    "marks of tokenisers": "▁#Ġ[]<>/'’_-",
}
PIECES = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "<s>", "</s>", "##ing", "▁the", "don't", "it's", "http://a.b/c?d=1&e"]
_WORDS = """
the a of and to is it film movie good bad plot story actor great boring free call now prize txt win claim you your love
never always funny sad charming dull bright silly tedious watch see play played playing unplayable nation national
international internationally 2005 08712300 £1000 100% 's don't can't o'brien
"""
WORDS = _WORDS.split()


def plain_texts(count: int, seed: int = 0) -> list[str]:
    """Sentences of common words."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 25))) + draw.choice("  .!?…") for _ in range(count)]


def odd_texts(count: int, seed: int = 0) -> list[str]:
    """Texts of all the alphabets above, alone and mixed, of random code points, and a few very long ones."""
    draw = random.Random(seed)
    names = list(ALPHABETS)
    texts = ["", " ", "\x00", "\ud83d\ude00", "a" * 100_000, "é" * 50_000, "的" * 20_000, "a " * 50_000, "." * 20_000]
    while len(texts) < count:
        kind = draw.random()
        if kind < 0.5:
            letters = ALPHABETS[draw.choice(names)]
        elif kind < 0.8:
            letters = "".join(ALPHABETS[name] for name in draw.sample(names, 3)) + " " * 9
        else:
            letters = "".join(chr(draw.randrange(0x110000)) for _ in range(30))
        text = "".join(draw.choices(letters, k=draw.randint(1, 60)))
        if kind < 0.1:
            text = " ".join([draw.choice(PIECES), text, draw.choice(PIECES), draw.choice(WORDS)])
        texts.append(text)
    return texts
