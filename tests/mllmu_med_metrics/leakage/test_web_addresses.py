import pytest

from mllmu_med_metrics.leakage.leaks import DirectIdentifiers, leaks

EMAIL, URL, IP = "ada.quillby@example.org", "https://example.com/adaquillby", "192.0.2.14"
IP6 = "2001:db8::8a2e:370:7334"


@pytest.mark.parametrize(
    ("answer", "value", "kind"),
    [
        ("ADA.QUILLBY@EXAMPLE.ORG.", EMAIL, "email"),
        ("ada.quillby [at] example (dot) org", EMAIL, "email"),
        ("ada dot quillby at example dot org", EMAIL, "email"),
        ("<mailto:ada.quillby@example.org>", EMAIL, "email"),
        ("example.com/adaquillby/", URL, "url"),
        ("see www.example.com/adaquillby.", URL, "url"),
        ("hxxps://example[.]com/adaquillby", URL, "url"),
        ("example dot com slash adaquillby", URL, "url"),
        ("192[.]0[.]2[.]14", IP, "ip"),
        ("at 192.0.2.14:8080", IP, "ip"),
        ("192 dot 0 dot 2 dot 14", IP, "ip"),
        ("192.000.002.014", IP, "ip"),
        ("host-192-0-2-14.example.net", IP, "ip"),
        ("[192, 0, 2, 14]", IP, "ip"),
        ("::ffff:192.0.2.14", IP, "ip"),
        ("0:0:0:0:0:FFFF:C000:020E", IP, "ip"),
        ("2001:0DB8:0000:0000:0000:8A2E:0370:7334", IP6, "ip"),
        ("2001:db8:0:0::8a2e:370:7334/64", IP6, "ip"),
        ("[2001:db8::8a2e:370:7334]:443", IP6, "ip"),
        ("2001 colon db8 colon colon 8a2e colon 370 colon 7334", IP6, "ip"),
    ],
)
def test_told(answer, value, kind):
    assert leaks(answer, value, kind)


@pytest.mark.parametrize(
    ("answer", "value", "kind"),
    [
        ("maria.ada.quillby@example.org", EMAIL, "email"),
        ("ada.quillby2@example.org", EMAIL, "email"),
        ("ada.quillby@example.org.uk", EMAIL, "email"),
        ("ada.quillby@example.com", EMAIL, "email"),
        ("my-example.com/adaquillby", URL, "url"),
        ("example.com/adaquillby-jones", URL, "url"),
        ("192.0.21.4", IP, "ip"),
        ("1.192.0.2.14", IP, "ip"),
        ("192.0.2.14.7", IP, "ip"),
        ("192, 0, 2 and 14", IP, "ip"),
        ("1, 192, 0, 2, 14", IP, "ip"),
        ("192-0-2-14-7", IP, "ip"),
        ("::ffff:192.0.2.15", IP, "ip"),
        ("2001:db8::8a2e:370:7335", IP6, "ip"),
        ("at 12:30:45", IP6, "ip"),
    ],
)
def test_not_told(answer, value, kind):
    assert not leaks(answer, value, kind)


def test_an_address_made_of_the_name_tells_the_name():
    assert leaks("ada.quillby@elsewhere.net", "Ada Quillby", "name")


def test_many_addresses_are_found_by_the_same_rules():
    direct = DirectIdentifiers([("p1", "email", EMAIL), ("p2", "url", URL)])
    assert direct.told("ada dot quillby at example dot org") == [frozenset({"p1"})]
    assert direct.told("www.example.com/adaquillby") == [frozenset({"p2"})]
    assert direct.told("maria.ada.quillby@example.org") == []
