"""What to do next to collect subscribers on the web: the first rule that holds."""

from audience.growth.kinds import ActionName, Judge, Recommendation, Rule, counted
from audience.growth.states import PEOPLE_WITH_PHONE, Ref, State

LEAST_VIEWS = 100  # of a form lately, before its conversion says anything
POOR_CONVERSION = 0.02
LEAST_ASKED = 20  # people, before unanswered confirmations say anything
MANY_UNANSWERED = 0.5


def _no_list(state: State) -> Recommendation | None:
    if not state.lists:
        return Recommendation(
            Rule.NO_LIST,
            "Make your first list",
            "People sign up to a list, and there is none yet.",
            ActionName.CREATE_LIST,
        )
    if state.forms or state.draft or not state.lists[0].is_single_opt_in:
        return None
    return Recommendation(
        Rule.NO_LIST,
        "Make a list for sign-ups",
        "Every list is on single opt-in. A form should lead to one on double opt-in, "
        "on which people confirm that the address is theirs.",
        ActionName.CREATE_LIST,
    )


def _no_form(state: State) -> Recommendation | None:
    if state.forms or state.draft:
        return None
    archived = (
        f" {counted(state.archived, 'form is', 'forms are')} archived."
        if state.archived
        else ""
    )
    return Recommendation(
        Rule.NO_FORM,
        "Make a sign-up form",
        f"No form takes sign-ups.{archived}",
        ActionName.CREATE_FORM,
        state.lists[0],
    )


def _form_in_draft(state: State) -> Recommendation | None:
    if state.forms or state.draft is None:
        return None
    return Recommendation(
        Rule.FORM_IN_DRAFT,
        f"Publish {state.draft.name}",
        "It is a draft, and no form is live: nobody can sign up.",
        ActionName.PUBLISH_FORM,
        state.draft,
    )


def _no_views(state: State) -> Recommendation | None:
    if not state.forms or any(each.views for each in state.forms):
        return None
    form = state.forms[0]
    return Recommendation(
        Rule.NO_VIEWS,
        f"Show {form.name} to somebody",
        "No live form was seen in the last 30 days: put its code into your site, or "
        "share its address or QR code.",
        ActionName.SHARE_FORM,
        Ref(form.id, form.name),
    )


def _confirmations_unanswered(state: State) -> Recommendation | None:
    if state.asked < LEAST_ASKED or state.waiting < MANY_UNANSWERED * state.asked:
        return None
    return Recommendation(
        Rule.CONFIRMATIONS_UNANSWERED,
        "Find out why sign-ups are not confirmed",
        f"Of the newest people, {state.asked:,} were asked to confirm in the last 30 "
        f"days, and {state.waiting:,} have not answered within a day. Does the mail "
        "arrive, from a sender that they know?",
        ActionName.SEE_WHO_WAITS,
    )


def _key_without_origins(state: State) -> Recommendation | None:
    # An app names no origin, so its key has to be open, and one that was made lately
    # may be for an app whose devices have yet to come.
    if not state.lasting_open_keys or state.has_push_tokens:
        return None
    key = state.lasting_open_keys[0]
    return Recommendation(
        Rule.KEY_WITHOUT_ORIGINS,
        f"Bind {key.name} to your site",
        "This public key works from every site, so whoever copies it can sign people "
        "up. It is older than 30 days, and no device was registered, so no app seems "
        "to need that: make one with your site's origin, and revoke this one.",
        ActionName.RESTRICT_KEY,
        key,
    )


def _poor_conversion(state: State) -> Recommendation | None:
    poor = [
        each
        for each in state.forms
        if each.views >= LEAST_VIEWS and each.conversion < POOR_CONVERSION
    ]
    if not poor:
        return None
    form = min(poor, key=lambda each: (each.conversion, -each.views))
    return Recommendation(
        Rule.POOR_CONVERSION,
        f"Make {form.name} easier to fill in",
        f"It was seen {form.views:,} times in the last 30 days and sent "
        f"{form.submissions:,} times: {form.conversion:.1%}, below "
        f"{POOR_CONVERSION:.0%}. Ask for less, say what people get, or show it later.",
        ActionName.IMPROVE_FORM,
        Ref(form.id, form.name),
    )


def _single_opt_in(state: State) -> Recommendation | None:
    form = next((each for each in state.forms if each.list.is_single_opt_in), None)
    if form is None:
        return None
    return Recommendation(
        Rule.SINGLE_OPT_IN,
        f"Let people confirm that they join {form.list.name}",
        f"{form.name} signs people up to a list on single opt-in: mistyped and foreign "
        "addresses join it, and nothing proves that their owners agreed.",
        ActionName.REQUIRE_CONFIRMATION,
        form.list,
    )


def _nobody_brought_along(state: State) -> Recommendation | None:
    if state.has_brought_people:
        return None
    return Recommendation(
        Rule.NOBODY_BROUGHT_ALONG,
        "Bring the people along whom you know already",
        "No file was imported and nobody was added by hand so far.",
        ActionName.IMPORT_PEOPLE,
        state.lists[0],
    )


def _no_sms_consent(state: State) -> Recommendation | None:
    if state.has_sms_consent or any(each.asks_for_sms for each in state.forms):
        return None
    return Recommendation(
        Rule.NO_SMS_CONSENT,
        "Ask for consent to text messages",
        f"Of the first {PEOPLE_WITH_PHONE:,} people with a phone number nobody has "
        "agreed to text messages, and no live form asks for it.",
        ActionName.ASK_FOR_SMS,
        state.forms[0].list if state.forms else state.lists[0],
    )


def _no_text_to_join(state: State) -> Recommendation | None:
    if any(each.takes_messages for each in state.integrations):
        return None
    return Recommendation(
        Rule.NO_TEXT_TO_JOIN,
        "Let people join by a text message",
        "No keyword takes sign-ups by text message, for posters, packages and tills.",
        ActionName.SET_UP_TEXT_TO_JOIN,
        state.lists[0],
    )


def _web_well_under_way(state: State) -> Recommendation | None:
    return Recommendation(
        Rule.WEB_WELL_UNDER_WAY,
        "Look at who joined lately",
        "Every way in is set up: see what your new members have in common.",
        ActionName.SEE_NEW_MEMBERS,
        state.lists[0],
    )


RULES: tuple[Judge, ...] = (
    _no_list,
    _no_form,
    _form_in_draft,
    _no_views,
    _confirmations_unanswered,
    _key_without_origins,
    _poor_conversion,
    _single_opt_in,
    _nobody_brought_along,
    _no_sms_consent,
    _no_text_to_join,
    _web_well_under_way,
)
