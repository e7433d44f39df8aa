"""The model's endpoint: it takes the key and has the model. A call that costs money is made only when asked for."""

from pydantic import SecretStr

from sre_agent.settings import Reasoner
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections, plain
from sre_agent.wiring.doctor.verdict import Seen, listed, ok, skipped, warning


async def _endpoint(connections: Connections) -> Seen:
    s = connections.settings
    if s.effective_reasoner is Reasoner.RULES:
        return skipped("no model is used: the rules think alone")
    from sre_agent.adapters.openai import Endpoint, OpenAIChat

    name = s.openai_model or ""
    chat = OpenAIChat(Endpoint(model=name, api_key=SecretStr(plain(s.openai_api_key) or "none"), base_url=s.openai_base_url))
    try:
        known = await chat.models(connections.request_s)
        if connections.terms.call_model:
            await chat.one_token(connections.request_s)
            return ok(f"{name} answered a call")
    finally:
        await chat.close()
    if known is None:
        return ok("it answers, and does not list its models", "`sre-agent doctor --only model --call-model` tries a call.")
    if name not in known:
        return warning(
            f"it does not list {name!r}, but {listed(sorted(known), 4) or 'nothing'}",
            "Correct OPENAI_MODEL; if the name is right, `sre-agent doctor --only model --call-model` shows it.",
        )
    return ok(f"the key is accepted, and {name} is listed")


CHECKS = (
    Check(
        "model",
        "endpoint",
        "The endpoint takes the key and lists the model; with --call-model, it answers one token.",
        _endpoint,
        "Check OPENAI_BASE_URL (usually ending in /v1), OPENAI_API_KEY and the network. Until then the rules think alone.",
        about=("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL", "SRE_AGENT_REASONER"),
    ),
)
