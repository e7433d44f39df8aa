"""What Slack refuses of blocks and dialogs, as the stand-in checks it.

Limits: Slack's Block Kit reference; for the sum over all blocks, issue 2509 of slackapi/bolt-js.
"""

from collections.abc import Iterator, Mapping

MOST_BLOCKS = 50
MOST_MODAL_BLOCKS = 100
MOST_TEXT_IN_ALL = 13_200
"""Characters of text in all blocks together; more is msg_blocks_too_long, which no page documents."""

Json = Mapping[str, object]


def wrong_message(body: Json) -> str | None:
    """Slack's word for what is wrong with a message, or None."""
    text, blocks = body.get("text"), body.get("blocks")
    if not blocks and not text:
        return "no_text"
    if isinstance(text, str) and len(text) > 40_000:
        return "msg_too_long"
    if blocks is None:
        return None
    if not isinstance(blocks, list) or len(blocks) > MOST_BLOCKS or not all(_block_fits(b) for b in blocks):
        return "invalid_blocks"
    if sum(len(t) for t in _texts(blocks)) > MOST_TEXT_IN_ALL:
        return "msg_blocks_too_long"
    return None


def wrong_view(view: object) -> str | None:
    """Slack's word for what is wrong with a dialog, or None."""
    if not isinstance(view, dict) or view.get("type") != "modal":
        return "invalid_arguments"
    blocks = view.get("blocks")
    if not isinstance(blocks, list) or len(blocks) > MOST_MODAL_BLOCKS or not all(_block_fits(b) for b in blocks):
        return "invalid_arguments"
    if not _text_fits(view.get("title"), 24) or any(p in view and not _text_fits(view[p], 24) for p in ("submit", "close")):
        return "invalid_arguments"
    if any(isinstance(b, dict) and b.get("type") == "input" for b in blocks) and "submit" not in view:
        return "invalid_arguments"
    return None if len(str(view.get("private_metadata", ""))) <= 3000 else "invalid_arguments"


def _block_fits(block: object) -> bool:
    """One block of the kinds we send; an unknown kind does not fit."""
    if not isinstance(block, dict) or len(str(block.get("block_id", ""))) > 255:
        return False
    elements = block.get("elements", [])
    match block.get("type"):
        case "header":
            return _text_fits(block.get("text"), 150, plain=True)
        case "section":
            return _section_fits(block)
        case "context":
            return isinstance(elements, list) and 0 < len(elements) <= 10 and all(_text_fits(e, 3000) for e in elements)
        case "actions":
            return isinstance(elements, list) and 0 < len(elements) <= 25 and all(_button_fits(e) for e in elements)
        case "divider":
            return True
        case "input":
            return _text_fits(block.get("label"), 2000, plain=True) and isinstance(block.get("element"), dict)
        case _:
            return False


def _section_fits(block: Json) -> bool:
    fields = block.get("fields", [])
    if not isinstance(fields, list) or len(fields) > 10 or not all(_text_fits(f, 2000) for f in fields):
        return False
    return _text_fits(block["text"], 3000) if "text" in block else bool(fields)


def _button_fits(button: object) -> bool:
    if not isinstance(button, dict) or button.get("type") != "button" or not _text_fits(button.get("text"), 75, plain=True):
        return False
    long = len(str(button.get("value", ""))) > 2000 or len(str(button.get("url", ""))) > 3000
    if long or not 0 < len(str(button.get("action_id", ""))) <= 255 or button.get("style", "primary") not in ("primary", "danger"):
        return False
    confirm = button.get("confirm")
    if confirm is None:
        return True
    sizes = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
    return isinstance(confirm, dict) and all(_text_fits(confirm.get(part), most) for part, most in sizes.items())


def _text_fits(text: object, most: int, *, plain: bool = False) -> bool:
    """A text object with 1 to `most` characters."""
    if not isinstance(text, dict) or text.get("type") not in (("plain_text",) if plain else ("plain_text", "mrkdwn")):
        return False
    said = text.get("text")
    return isinstance(said, str) and 0 < len(said) <= most


def _texts(value: object) -> Iterator[str]:
    """Every text of every text object in a tree."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        if value.get("type") in ("plain_text", "mrkdwn") and isinstance(value.get("text"), str):
            yield value["text"]
            return
        for item in value.values():
            yield from _texts(item)
