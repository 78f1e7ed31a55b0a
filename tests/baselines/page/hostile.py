"""Answers that try to break a page: markup, scripts, signs that can't be seen or turn the text, too much of it."""

RAN = "document.title='ran'"

HOSTILE = (
    f"<script>{RAN}</script>",
    f"</script><script>{RAN}</script>",
    f"</SCRIPT ><svg onload={RAN}>",
    f"<img src=x onerror={RAN}>",
    f"<!--<script>{RAN}//--></script>",
    f"--><svg/onload={RAN}>",
    f'"><body onload={RAN}>',
    f"'-{RAN}-'",
    f"javascript:{RAN}",
    f"<a href=javascript:{RAN}>click</a>",
    f"<iframe srcdoc='<script>parent.{RAN}</script>'></iframe>",
    "<style>body{display:none}</style><link rel=stylesheet href=//example.org/x.css>",
    "<meta http-equiv=refresh content='0;url=https://example.org/'>",
    "{{ 7 * 7 }}{% for x in y %}{{ ''.__class__ }}",
    "${7*7}`${document.cookie}`\\u003cscript\\u003e",
    "&lt;script&gt;&#60;script&#62;&amp;amp;",
    "]]><![CDATA[<script>x</script>",
    "a\x00b\x00c",
    "".join(map(chr, range(1, 32))).replace("\n", "").replace("\r", "") + "\x7f\x9b31m",
    "\u202emirror\u202d \u2066left\u2069 \u200f\u061cright",
    "שלום עולם مرحبا بالعالم: the left lung",
    "👩‍⚕️🏥🇨🇭 👍🏽 é ẑ̴̢̛ 𝕬𝖉𝖆",
    "x" * 5000,
    "\ud83d alone, and \udc00 \ufeff \ufffe \u2028 next",
    "The liver. " * 95_326,
)
assert len(HOSTILE) == 25 and len(HOSTILE[-1]) >= 1 << 20
