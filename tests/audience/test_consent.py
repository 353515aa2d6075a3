"""Every change of consent, lawful and not, and who may be written to."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from audience.consent import (
    Basis,
    Channel,
    ConsentState,
    Method,
    Statement,
    Status,
    Suppress,
    Suppression,
    SuppressionReason,
    Unsuppress,
    basis_of,
    can_receive,
    check_address,
    check_said,
    decide,
    suppressed,
    unsuppressed,
)
from audience.errors import (
    AudienceError,
    ConsentRequired,
    InvalidInput,
    NotAllowed,
    TooLarge,
)
from audience.evidence import evidence

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(days=30)
NEVER, PENDING = Status.NEVER_SUBSCRIBED, Status.PENDING
YES, NO = Status.SUBSCRIBED, Status.UNSUBSCRIBED

REFUSED: dict[tuple[Status, Status, Basis], type[AudienceError]] = {
    **{
        (was, NEVER, basis): NotAllowed for was in (PENDING, YES, NO) for basis in Basis
    },
    **{(YES, PENDING, basis): NotAllowed for basis in Basis},
    (PENDING, YES, Basis.UNSTATED): ConsentRequired,
    (PENDING, YES, Basis.BULK): ConsentRequired,
    (NO, YES, Basis.UNSTATED): ConsentRequired,
    (NO, YES, Basis.BULK): ConsentRequired,
    (NO, PENDING, Basis.UNSTATED): ConsentRequired,
    (NO, PENDING, Basis.BULK): ConsentRequired,
}


def stated(to: Status, basis: Basis, at: datetime | None = None) -> Statement:
    match basis:
        case Basis.STATED:
            return Statement(Channel.EMAIL, to, Method.FORM, "Footer", at)
        case Basis.UNSTATED:
            return Statement(Channel.EMAIL, to, None, None, at)
        case Basis.BULK:
            return Statement(Channel.EMAIL, to, Method.IMPORT, "old.csv", at)


def state(status: Status, reason: SuppressionReason | None = None) -> ConsentState:
    held = Suppression(reason, EARLIER) if reason else None
    if status is NEVER:
        return ConsentState(suppression=held)
    consented_at = EARLIER if status is YES else None
    return ConsentState(
        status, consented_at, EARLIER, "FORM", "Footer", suppression=held
    )


@pytest.mark.parametrize(("was", "to", "basis"), list(product(Status, Status, Basis)))
def test_every_transition_on_every_basis(was: Status, to: Status, basis: Basis) -> None:
    before, statement = state(was), stated(to, basis)

    error = REFUSED.get((was, to, basis))
    if error is not None:
        with pytest.raises(error):
            decide(before, statement, NOW)
        return
    after = decide(before, statement, NOW)

    if was is to:
        assert after is before
    else:
        assert after == ConsentState(
            status=to,
            consented_at=NOW if to is YES else None,
            updated_at=NOW,
            method=statement.method or "API",
            source=statement.source,
        )


def test_a_statement_rests_on_what_it_says() -> None:
    for method, source, basis in [
        ("FORM", "Footer", Basis.STATED),
        ("PAPER_FORM", "Fair 2026", Basis.STATED),
        ("API", None, Basis.UNSTATED),
        (None, "Footer", Basis.UNSTATED),
        ("QUICK_ADD", "Fair 2026", Basis.BULK),
        ("IMPORT", None, Basis.BULK),
    ]:
        statement = Statement(Channel.SMS, YES, method, source)

        assert basis_of(statement) is basis


def test_a_refusal_says_what_is_missing() -> None:
    with pytest.raises(ConsentRequired) as nothing:
        decide(state(NO), Statement(Channel.EMAIL, YES), NOW)
    with pytest.raises(ConsentRequired) as no_source:
        decide(state(NO), Statement(Channel.EMAIL, YES, "API"), NOW)

    assert nothing.value.problems[0].path == ("method",)
    assert str(nothing.value) == (
        "The person has unsubscribed from EMAIL: state the method and the source of"
        " the new agreement."
    )
    assert no_source.value.problems[0].path == ("source",)


def test_a_late_statement_never_overrides_a_newer_one() -> None:
    late = stated(YES, Basis.STATED, EARLIER - timedelta(seconds=1))

    with pytest.raises(NotAllowed) as refusal:
        decide(state(NO), late, NOW)

    assert refusal.value.problems[0].path == ("at",)
    assert str(refusal.value) == (
        "EMAIL was changed at 2026-10-02T12:00:00Z; a statement from"
        " 2026-10-02T11:59:59Z does not override it."
    )


def test_a_late_statement_of_the_same_status_changes_nothing() -> None:
    late = stated(NO, Basis.STATED, EARLIER - timedelta(days=900))

    assert decide(state(NO), late, NOW).updated_at == EARLIER


def test_a_statement_keeps_its_own_time() -> None:
    since = EARLIER + timedelta(days=1)

    after = decide(state(NO), stated(YES, Basis.STATED, since), NOW)

    assert (after.consented_at, after.updated_at) == (since, since)


def test_now_is_never_before_what_is_recorded() -> None:
    ahead = ConsentState(NO, None, NOW + timedelta(seconds=2), "FORM", "Footer")

    after = decide(ahead, stated(YES, Basis.STATED), NOW)

    assert after.updated_at == NOW + timedelta(seconds=2)


def test_a_confirmation_proves_a_single_opt_in_once() -> None:
    confirmation = Statement(Channel.EMAIL, YES, Method.CONFIRMATION, "News")

    once = decide(state(YES), confirmation, NOW)
    twice = decide(once, confirmation, NOW + timedelta(hours=1))

    assert (once.double_opt_in, once.method) == (True, "CONFIRMATION")
    assert twice is once


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_a_confirmation_lifts_all_but_the_accounts_own_decision(
    reason: SuppressionReason,
) -> None:
    confirmation = Statement(Channel.EMAIL, YES, Method.CONFIRMATION, "News")

    after = decide(state(PENDING, reason), confirmation, NOW)

    assert can_receive(after) is (reason is not SuppressionReason.USER_SUPPRESSED)


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_no_other_change_lifts_a_suppression(reason: SuppressionReason) -> None:
    before = state(NO, reason)

    after = decide(before, stated(YES, Basis.STATED), NOW)

    assert after.suppression == before.suppression
    assert not can_receive(after)


def test_only_the_subscribed_can_receive() -> None:
    able = [status for status in Status if can_receive(state(status))]

    assert able == [YES]


@pytest.mark.parametrize(("held", "new"), list(product(SuppressionReason, repeat=2)))
def test_a_stronger_suppression_replaces_a_weaker_one(
    held: SuppressionReason, new: SuppressionReason
) -> None:
    strength = {
        "USER_SUPPRESSED": 0,
        "HARD_BOUNCE": 1,
        "INVALID_ADDRESS": 1,
        "SPAM_COMPLAINT": 2,
    }
    before = state(YES, held)

    after = suppressed(before, Suppress(Channel.EMAIL, new), NOW)

    if strength[new] > strength[held]:
        assert after.suppression == Suppression(new, NOW)
    else:
        assert after is before


@pytest.mark.parametrize(
    ("held", "reason", "source", "path"),
    [
        ("USER_SUPPRESSED", None, None, None),
        ("USER_SUPPRESSED", "USER_SUPPRESSED", None, None),
        ("USER_SUPPRESSED", "HARD_BOUNCE", "mended", "reason"),
        ("HARD_BOUNCE", None, "mended", "reason"),
        ("HARD_BOUNCE", "HARD_BOUNCE", None, "source"),
        ("HARD_BOUNCE", "HARD_BOUNCE", "mended", None),
        ("INVALID_ADDRESS", "INVALID_ADDRESS", "mended", None),
        ("INVALID_ADDRESS", None, None, "reason"),
        ("SPAM_COMPLAINT", None, None, "reason"),
        ("SPAM_COMPLAINT", "SPAM_COMPLAINT", "they said so", "reason"),
    ],
)
def test_which_suppression_a_call_may_lift(
    held: str, reason: str | None, source: str | None, path: str | None
) -> None:
    before = state(YES, SuppressionReason(held))
    said = Unsuppress(
        Channel.EMAIL,
        SuppressionReason(reason) if reason else None,
        source=source,
    )

    if path is None:
        assert unsuppressed(before, said) == state(YES)
    else:
        with pytest.raises(NotAllowed) as refusal:
            unsuppressed(before, said)
        assert refusal.value.problems[0].path == (path,)


def test_lifting_nothing_changes_nothing() -> None:
    before = state(YES)

    assert unsuppressed(before, Unsuppress(Channel.EMAIL)) is before


def test_a_channel_needs_its_address() -> None:
    check_address(Channel.EMAIL, "a@example.org", None)
    check_address(Channel.SMS, None, "+14155550132")
    check_address(Channel.PUSH, None, None)

    for channel in (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP):
        with pytest.raises(InvalidInput):
            check_address(channel, None, None)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (Statement(Channel.EMAIL, YES, "form"), "method"),
        (Statement(Channel.EMAIL, YES, "F" * 65), "method"),
        (Statement(Channel.EMAIL, YES, "FORM", "x" * 201), "source"),
        (Statement(Channel.EMAIL, YES, at=NOW + timedelta(minutes=6)), "at"),
        (Statement(Channel.EMAIL, YES, at=datetime(1980, 1, 1, tzinfo=UTC)), "at"),
        (
            Suppress(
                Channel.SMS,
                SuppressionReason.HARD_BOUNCE,
                at=NOW + timedelta(days=1),
            ),
            "at",
        ),
        (Unsuppress(Channel.SMS, source="x" * 201), "source"),
    ],
)
def test_what_is_said_is_checked(
    said: Statement | Suppress | Unsuppress, path: str
) -> None:
    with pytest.raises(AudienceError) as refusal:
        check_said(said, NOW)

    assert refusal.value.problems[0].path == (path,)


def test_texts_are_trimmed_and_empty_ones_are_none() -> None:
    said = Statement(Channel.EMAIL, YES, " FORM ", "  \0 ")

    assert check_said(said, NOW) == Statement(Channel.EMAIL, YES, "FORM", None)


def test_evidence_keeps_what_the_browser_sent_within_bounds() -> None:
    found = evidence(" 192.0.2.7 ", "Mozilla\ud800" + "x" * 600, " I agree. ")

    assert found.ip == "192.0.2.7"
    assert found.user_agent == "Mozilla" + "x" * 505
    assert found.consent_text == "I agree."
    assert evidence("unknown", " ", None) == evidence()


def test_a_consent_text_is_never_cut() -> None:
    with pytest.raises(TooLarge) as refusal:
        evidence(consent_text="x" * 5_001)

    assert refusal.value.problems[0].path == ("consentText",)
