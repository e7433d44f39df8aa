"""What the write identity may do, asked of the API server. Nothing is written: a review is a question."""

from pathlib import Path
from typing import Any

from sre_agent.adapters.kubernetes.connection import ApiServer, Call
from sre_agent.evidence.kubernetes.review import Right, allowed, question
from sre_agent.incident.errors import Permanent


class WriteIdentity:
    """Asks with the write kubeconfig, and with nothing else. `answer_s` in seconds."""

    def __init__(self, kubeconfig: Path, answer_s: float = 10.0) -> None:
        self._server = ApiServer(kubeconfig, answer_s=answer_s)

    async def may(self, right: Right, namespace: str) -> bool:
        """Whether it has a right in a namespace ("": everywhere). Raises Transient, Permanent or ConfigurationError."""
        call = Call(f"ask about the right to {right[0]} {right[2]}", "create selfsubjectaccessreviews", may_have_happened=False)

        def ask(api: Any) -> bytes:
            body = question(right, namespace)
            answer = api.create_self_subject_access_review(body, _preload_content=False, _request_timeout=self._server.timeouts)
            return bytes(answer.data)

        told = allowed(await self._server.ask(call, "AuthorizationV1Api", ask))
        if told is None:
            raise Permanent(f"could not {call.what}: the answer is not from a Kubernetes API server (a proxy?)")
        return told

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
