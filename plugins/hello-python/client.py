"""HTTP with hello-crm, and what its answers mean to the host."""

import json
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import urlencode, urlsplit

from componentize_py_types import Err, Ok
from wit_world.imports import data, outgoing_handler, secrets, settings, streams, types

METHODS = {
    "GET": types.Method_Get(),
    "POST": types.Method_Post(),
    "PATCH": types.Method_Patch(),
    "DELETE": types.Method_Delete(),
}

# Ended before there was a connection, so nothing was sent.
UNSENT = (
    types.ErrorCode_ConnectionRefused,
    types.ErrorCode_DnsError,
    types.ErrorCode_DnsTimeout,
    types.ErrorCode_DestinationNotFound,
)
# The host does not send it, and tells the operator why: a host that is not granted, a header that plugin.toml does not list.
DENIED = (types.ErrorCode_HttpRequestDenied, types.ErrorCode_DestinationIpProhibited)


class Trouble(Exception):
    """What concerns the remote system or the credential, and so every record."""

    def __init__(self, code: str, reason: str, after: Optional[int] = None, sent: bool = True):
        super().__init__(reason)
        self.error = data.Error(code, reason, after, None, [])
        # Whether the request may have been carried out. Of a change nobody knows what became of it then.
        self.sent = sent


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    # Parsed; None without a body.
    body: Any

    @property
    def refusal(self) -> dict[str, Any]:
        """hello-crm's own words for what it refuses."""
        return self.body.get("error", {}) if isinstance(self.body, dict) else {}

    def ok(self) -> Any:
        """The body of a request that reads."""
        if 200 <= self.status < 300:
            return self.body
        if self.refusal.get("code") in ("cursor-expired", "sync-token-expired"):
            raise Trouble("cursor-expired", self.refusal["message"])
        code = "forbidden" if self.status == 403 else f"http-{self.status}"
        raise Trouble(code, f"hello-crm answered {self.status}: {self.refusal.get('message', '')}")


def call(
    method: str, path: str, query: Optional[dict] = None, body: Any = None, headers: Optional[dict] = None
) -> Response:
    """Sends a request and waits for the answer. `Trouble` where another request would fare no better."""
    url = settings.get("url")
    if not isinstance(url, data.Value_Text):
        raise Trouble("misconfigured", "the setting 'url' is not set", sent=False)
    place = urlsplit(url.value)
    content = b"" if body is None else json.dumps(body).encode()
    # The host puts the key in place of the placeholder. A placeholder is good in this call only.
    fields = {"authorization": "Bearer " + secrets.use("api-key"), "accept": "application/json", **(headers or {})}
    if content:
        fields |= {"content-type": "application/json", "content-length": str(len(content))}

    request = types.OutgoingRequest(types.Fields.from_list([(name, text.encode()) for name, text in fields.items()]))
    request.set_method(METHODS[method])
    request.set_scheme(types.Scheme_Http() if place.scheme == "http" else types.Scheme_Https())
    request.set_authority(place.netloc)
    request.set_path_with_query(f"{place.path.rstrip('/')}/v1/{path}" + (f"?{urlencode(query)}" if query else ""))

    try:
        response = exchange(request, content)
    except Err as failed:
        code = failed.value
        if isinstance(code, DENIED):
            raise Trouble("misconfigured", f"the request to {place.netloc} was not sent", sent=False)
        raise Trouble("unavailable", f"hello-crm cannot be asked: {code}", sent=not isinstance(code, UNSENT))

    after = response.headers.get("retry-after", "")
    after = int(after) if after.isdigit() else None
    reason = response.refusal.get("message") or f"hello-crm answered {response.status}"
    if response.status == 401:
        raise Trouble("unauthorized", reason, sent=False)
    if response.status == 429:
        raise Trouble("rate-limited", reason, after, sent=False)
    # A server that fails may have written before.
    if response.status == 408 or response.status >= 500:
        raise Trouble("unavailable", reason, after)
    return response


def exchange(request: types.OutgoingRequest, content: bytes) -> Response:
    body = request.body()
    future = outgoing_handler.handle(request, None)
    if content:
        with body.write() as stream:
            try:
                for begin in range(0, len(content), 4096):
                    stream.blocking_write_and_flush(content[begin : begin + 4096])
            except Err:
                # Nobody takes the rest of it. Why stands in the answer.
                pass
    types.OutgoingBody.finish(body, None)

    with future.subscribe() as ready:
        ready.block()
    match future.get():
        case Ok(Ok(response)):
            pass
        case Ok(Err() as failed):
            raise failed
        case _:
            raise Err(types.ErrorCode_InternalError("the answer is gone"))
    headers = {name.lower(): text.decode(errors="replace") for name, text in response.headers().entries()}
    content = read(response)
    try:
        return Response(response.status(), headers, json.loads(content) if content else None)
    except ValueError:
        if response.status() < 400:
            raise Trouble("invalid-answer", f"hello-crm answered what is no JSON: {content[:200]!r}")
        return Response(response.status(), headers, None)


def read(response: types.IncomingResponse) -> bytes:
    content = b""
    with response.consume() as body, body.stream() as stream:
        while True:
            try:
                content += stream.blocking_read(65536)
            except Err as failed:
                if isinstance(failed.value, streams.StreamError_Closed):
                    return content
                raise Err(types.ErrorCode_HttpResponseIncomplete())
