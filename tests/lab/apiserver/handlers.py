"""From an HTTP request to the store and back."""

import asyncio
import json
import secrets
from typing import Any

from aiohttp import web

from tests.lab.apiserver import discovery
from tests.lab.apiserver.access import reviewed
from tests.lab.apiserver.errors import StatusError, bad_request
from tests.lab.apiserver.execs import Execs, exec_request
from tests.lab.apiserver.faults import Delay, Drop, Fault, LoseAnswer, Refuse, next_action
from tests.lab.apiserver.resources import (
    ACCESS_REVIEWS,
    NAMESPACES,
    PODS,
    PVCS,
    SERVICES,
    STORAGE_CLASSES,
    Manifest,
)
from tests.lab.apiserver.routes import Request, Route, flag, route
from tests.lab.apiserver.selectors import Selection
from tests.lab.apiserver.store import Store
from tests.lab.apiserver.watches import Watches

# DELETE answers with the object for these kinds, with a Status for the others.
_RETURNED_WHEN_DELETED = (PODS, PVCS, SERVICES, STORAGE_CLASSES)


class Handler:
    """Answers requests; lives in the server's event loop."""

    def __init__(
        self, store: Store, watches: Watches, execs: Execs, faults: list[Fault], requests: list[Request]
    ) -> None:
        self._store = store
        self._watches = watches
        self._execs = execs
        self._faults = faults
        self._requests = requests
        self._documents = discovery.documents()
        self._rest: dict[str, tuple[list[Manifest] | None, int]] = {}
        """What is still to come of lists that are read by pages."""

    async def __call__(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; every refusal becomes a Status."""
        try:
            if (document := self._documents.get(http.path.rstrip("/"))) is not None:
                return _json(document)
            target = route(http)
            self._requests.append(target.request)
            return await self._answer_or_fail(http, target)
        except StatusError as error:
            return _json(error.body(), error.code)

    async def _answer_or_fail(self, http: web.BaseRequest, target: Route) -> web.StreamResponse:
        action = next_action(self._faults, target.request)
        match action:
            case Refuse():
                raise action.error()
            case Delay():
                await asyncio.sleep(action.seconds)
            case Drop():
                return _reset(http)
        response = await self._answer(http, target)
        return _reset(http) if isinstance(action, LoseAnswer) else response

    async def _answer(self, http: web.BaseRequest, target: Route) -> web.StreamResponse:
        if target.subresource == "exec":
            pod = self._store.get(PODS, target.namespace, target.name)
            return await self._execs.serve(http, exec_request(http, pod), stdin=flag(http, "stdin"))
        match target.verb:
            case "get":
                return _json(self._store.get(target.resource, target.namespace, target.name))
            case "watch":
                return await self._watches.serve(http, _selection(http, target))
            case "list":
                return _json(self._list(http, _selection(http, target)))
            case "delete" | "deletecollection":
                return _json(self._delete(http, target, await _body(http)))
            case _:
                return self._write(http, target, await _body(http))

    def _list(self, http: web.BaseRequest, selection: Selection) -> Manifest:
        """All, or a page of them; the pages of one list show the objects of one moment."""
        if token := http.query.get("continue", ""):
            items, version = self._rest.pop(token, (None, 0))
            if items is None:
                raise StatusError(410, "Expired", "The provided continue parameter is too old")
        else:
            items, version = self._store.snapshot(selection)
        metadata = {"resourceVersion": str(version)}
        limit = int(http.query.get("limit") or 0) or len(items)
        if rest := items[limit:]:
            metadata["continue"] = secrets.token_hex(8)
            self._rest[metadata["continue"]] = (rest, version)
        return {
            "apiVersion": selection.resource.api_version,
            "kind": f"{selection.resource.kind}List",
            "metadata": metadata,
            "items": items[:limit],
        }

    def _write(self, http: web.BaseRequest, target: Route, body: Any) -> web.Response:
        dry_run, status = _dry_run(http, body), target.subresource == "status"
        if target.verb == "patch":
            place = (target.resource, target.namespace, target.name)
            content_type = http.content_type
            return _json(self._store.patch(*place, body, content_type, status=status, dry_run=dry_run))
        if target.resource == ACCESS_REVIEWS:
            return _json(reviewed(self._store, body), 201)
        manifest = _located(target, body)
        if target.verb == "create":
            return _json(self._store.create(target.resource, manifest, dry_run=dry_run), 201)
        return _json(self._store.replace(target.resource, manifest, status=status, dry_run=dry_run))

    def _delete(self, http: web.BaseRequest, target: Route, body: Any) -> Manifest:
        if target.verb == "deletecollection":
            self._store.delete_collection(_selection(http, target))
            return _success({})
        preconditions = (body or {}).get("preconditions") or {}
        last = self._store.delete(
            target.resource,
            target.namespace,
            target.name,
            uid=preconditions.get("uid"),
            resource_version=preconditions.get("resourceVersion"),
            dry_run=_dry_run(http, body),
        )
        held = bool(last["metadata"].get("deletionTimestamp")) and target.resource != NAMESPACES
        if held or target.resource in _RETURNED_WHEN_DELETED:
            return last
        resource, metadata = target.resource, last["metadata"]
        return _success(
            {
                "name": metadata["name"],
                "group": resource.group,
                "kind": resource.plural,
                "uid": metadata["uid"],
            }
        )


def _json(document: Manifest, code: int = 200) -> web.Response:
    # Clients wait as long as the server tells them; the real one says one second.
    headers = {"Retry-After": "1"} if code == 429 else {}
    return web.json_response(document, status=code, headers=headers)


def _success(details: Manifest) -> Manifest:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _reset(http: web.BaseRequest) -> web.Response:
    if http.transport is not None:
        http.transport.abort()
    return web.Response()


async def _body(http: web.BaseRequest) -> Any:
    text = await http.text()
    try:
        return json.loads(text) if text else None
    except json.JSONDecodeError as error:
        raise bad_request(f"error decoding the body: {error}") from error


def _selection(http: web.BaseRequest, target: Route) -> Selection:
    query = http.query
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    if target.name:
        fields = f"metadata.name={target.name}"
    return Selection(target.resource, target.namespace or None, labels, fields)


def _dry_run(http: web.BaseRequest, body: Any) -> bool:
    asked = http.query.getall("dryRun", [])
    if isinstance(body, dict) and body.get("kind") == "DeleteOptions":
        asked = [*asked, *(body.get("dryRun") or [])]
    return "All" in asked


def _located(target: Route, body: Any) -> Manifest:
    """The manifest with the place that the URL gives it. Raises StatusError (400) for another one."""
    if not isinstance(body, dict):
        raise bad_request("the body must be one object")
    metadata = {**(body.get("metadata") or {})}
    for field, value in {"namespace": target.namespace, "name": target.name}.items():
        if value and metadata.setdefault(field, value) != value:
            raise bad_request(
                f"the {field} of the object ({metadata[field]}) does not match the URL ({value})"
            )
    return {**body, "metadata": metadata}
