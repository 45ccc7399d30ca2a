"""What is read in one pass is what the reader of all forms reads, and that is what was encoded."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from ldap3.protocol.rfc4511 import LDAPMessage, SearchResultEntry
from pyasn1.codec.ber import decoder, encoder

from ldaphealth.ldap import ber, codec, usual_form

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
values = st.lists(st.binary(max_size=300), max_size=6)
entries = st.tuples(st.text(max_size=200), st.dictionaries(names, values, max_size=8))


def element(tag: int, content: bytes, octets: int) -> bytes:
    """Encode with a length of so many octets more than is needed, as some servers do."""
    if octets == 0:
        return ber.element(tag, content)
    return bytes((tag, 0x80 | octets)) + len(content).to_bytes(octets, "big") + content


def encoded(entry: tuple[str, dict[str, list[bytes]]], octets: int) -> bytes:
    dn, attributes = entry

    def attribute(name: str, values: list[bytes]) -> bytes:
        of = b"".join(element(ber.OCTET_STRING, each, octets) for each in values)
        typed = element(ber.OCTET_STRING, name.encode(), octets)
        return element(ber.SEQUENCE, typed + element(ber.SET, of, octets), octets)

    pairs = b"".join(attribute(name, of) for name, of in attributes.items())
    return element(ber.OCTET_STRING, dn.encode(), octets) + element(ber.SEQUENCE, pairs, octets)


@given(entries, st.sampled_from([0, 4]))
def test_an_entry_is_read_as_it_was_encoded(
    entry: tuple[str, dict[str, list[bytes]]], octets: int
) -> None:
    found = usual_form.read_entry(encoded(entry, octets))

    assert found is not None
    assert found[0] == entry[0]
    assert found[1] == {name.lower(): (*of,) for name, of in entry[1].items()}
    assert found == codec.any_entry(encoded(entry, octets))


@given(entries)
def test_an_entry_of_ldap3_is_read_with_its_values(
    entry: tuple[str, dict[str, list[bytes]]],
) -> None:
    made = SearchResultEntry()
    made["object"] = entry[0]
    for place, (name, of) in enumerate(entry[1].items()):
        made["attributes"][place]["type"] = name
        made["attributes"][place]["vals"].extend(of)
    whole = LDAPMessage()
    whole["messageID"] = 7
    whole["protocolOp"]["searchResEntry"] = made

    message = codec.response(encoder.encode(whole))
    assert (message.message_id, message.tag) == (7, codec.ENTRY)
    read, _ = decoder.decode(encoder.encode(whole), asn1Spec=LDAPMessage())
    theirs = read["protocolOp"]["searchResEntry"]
    assert codec.octets_entry(message.payload) == (
        str(theirs["object"]),
        {
            str(each["type"]).lower(): tuple(bytes(value) for value in each["vals"])
            for each in theirs["attributes"]
        },
    )


@st.composite
def damaged(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Return octets of which some are others, are missing, or are added."""
    octets = bytearray(draw(valid))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(octets)))
        change = draw(st.sampled_from(["other", "gone", "more"]))
        if change == "gone" or place == len(octets):
            del octets[place : place + draw(st.integers(1, 3))]
        elif change == "more":
            octets[place:place] = draw(st.binary(min_size=1, max_size=3))
        else:
            octets[place] = draw(st.integers(0, 255))
    return bytes(octets)


@settings(max_examples=1000)
@given(damaged(st.builds(encoded, entries, st.sampled_from([0, 2, 4]))))
@example(b"")
def test_a_damaged_entry_is_read_as_in_the_other_way_or_left_to_it(octets: bytes) -> None:
    found = usual_form.read_entry(octets)
    if found is not None:
        assert found == codec.any_entry(octets)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    number = draw(st.integers(0, 2**31 - 1))
    operation = ber.element(draw(st.integers(0x60, 0x7E)), draw(st.binary(max_size=300)))
    return element(ber.SEQUENCE, ber.integer(number) + operation, draw(st.sampled_from([0, 4])))


@given(messages())
def test_a_message_is_read_as_in_the_other_way(octets: bytes) -> None:
    assert usual_form.read_envelope(octets) is not None
    assert codec.response(octets) == codec.any_response(octets)


@settings(max_examples=1000)
@given(damaged(messages()))
@example(b"")
@example(b"\x30\x05\x02\x01\xff\x61\x00")
@example(b"\x30\x05\x02\x01\x01\x7f\x00")  # the number of the tag is in more octets
def test_a_damaged_message_is_read_as_in_the_other_way_or_left_to_it(octets: bytes) -> None:
    found = usual_form.read_envelope(octets)
    if found is not None and found[1] & codec.OF_RESPONSES == codec.RESPONSE:
        assert codec.response(octets) == codec.any_response(octets)


@given(st.integers(10_001, 10_900))
def test_an_entry_with_too_many_attributes_is_left_to_the_way_that_refuses_it(number: int) -> None:
    pairs = ber.element(ber.SEQUENCE, ber.octet_string("") + ber.element(ber.SET, b"")) * number
    assert usual_form.read_entry(ber.octet_string("") + ber.element(ber.SEQUENCE, pairs)) is None


def test_a_success_alone_is_read_as_in_the_other_way() -> None:
    assert codec.result(codec.SUCCESS_ALONE) == codec.result(codec.SUCCESS_ALONE + b"\x87\x00")
