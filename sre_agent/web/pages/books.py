"""What people wrote and the agent works by: policies and runbooks."""

from collections import defaultdict
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from starlette.requests import Request
from starlette.responses import Response

from sre_agent.policy.bundle import Rule
from sre_agent.web.pages.desk import PageDesk
from sre_agent.web.pages.incidents import ID
from sre_agent.web.visitor import Role, needing

Id = Annotated[str, Path(pattern=ID)]


def routes(desk: PageDesk) -> APIRouter:
    """/policies and /runbooks."""
    router = APIRouter(include_in_schema=False)
    books = desk.pages

    @router.get("/policies")
    async def policies(request: Request) -> Response:
        by_file: dict[str, list[Rule]] = defaultdict(list)
        for rule in books.rules.values():
            by_file[PurePath(rule.file).name].append(rule)
        return await desk.show(request, "policies.html.j2", {"by_file": sorted(by_file.items()), "bundle": books.bundle_hash})

    @router.get("/policies/{policy_id}")
    async def policy(request: Request, policy_id: Id) -> Response:
        needing(Role.VIEWER, request)
        rule = books.rules.get(policy_id)
        if rule is None:
            raise HTTPException(404, f"no policy {policy_id} is in force; the ones that are stand under Policies")
        view = {"rule": rule, "file": PurePath(rule.file).name, "bundle": books.bundle_hash}
        return await desk.show(request, "policy.html.j2", view)

    @router.get("/runbooks")
    async def runbooks(request: Request) -> Response:
        return await desk.show(request, "runbooks.html.j2", {"runbooks": [r for _, r in sorted(books.runbooks.items())]})

    @router.get("/runbooks/{runbook_id}")
    async def runbook(request: Request, runbook_id: Id) -> Response:
        needing(Role.VIEWER, request)
        found = books.runbooks.get(runbook_id)
        if found is None:
            raise HTTPException(404, f"there is no runbook {runbook_id}; the ones there are stand under Runbooks")
        return await desk.show(request, "runbook.html.j2", {"runbook": found})

    return router
