"""[`GoogleAdmin`][assetflow.connectors.GoogleAdmin]: Google Workspace as a source."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from assetflow.connectors.google.auth import (
    READ_SCOPES,
    Keyless,
    ServiceAccount,
    application_default,
)
from assetflow.connectors.google.calls import (
    DEVICE_PAGE,
    Directory,
    matching_serial,
    parse_chromebook,
    parse_count,
)
from assetflow.connectors.google.checks import checks
from assetflow.connectors.google.classify import classify
from assetflow.connectors.google.dictionary import RAW_DICTIONARIES
from assetflow.connectors.google.mapping import DeviceMapper
from assetflow.connectors.google.plans import (
    find_device,
    list_people,
    plan_devices,
    plan_org_units,
    plan_people,
)
from assetflow.connectors.google.records import AsyncRecords, Records
from assetflow.connectors.spec import Check, ConnectorCapability, ShardPlan
from assetflow.errors import (
    AmbiguousReference,
    CapabilityMissing,
    ConfigError,
    InvalidValue,
    PayloadError,
    WritesDisabled,
)
from assetflow.model import ObservedDevice, ObservedKind, ObservedOrgUnit, ObservedPerson
from assetflow.wire import (
    AsyncWire,
    Call,
    Hooks,
    Limits,
    Listing,
    NoAuth,
    Problem,
    Reply,
    RetryPolicy,
    TokenBucket,
    TokenSource,
    Wire,
)

if TYPE_CHECKING:
    from typing import Self

    from assetflow.wire import Flow

__all__ = ["GoogleAdmin"]

GOOGLE_URL = "https://admin.googleapis.com"
_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")
# Google's quota is 2,400 reads a minute. A burst and a rate that together stay below it in every
# minute: 300 at once, then 35 a second.
_BURST = 300
_CAPABILITIES = frozenset(
    {
        ConnectorCapability.COUNT_DEVICES,
        ConnectorCapability.FIND_DEVICE,
        ConnectorCapability.LIST_DEVICES,
        ConnectorCapability.LIST_PEOPLE,
        ConnectorCapability.LIST_PLACES,
        ConnectorCapability.SHARD,
    }
)
# A quota of a minute is not waited out by five tries within ten seconds.
_RETRY = RetryPolicy(max_attempts=8, base=1.0, cap=60.0)


class GoogleAdmin:
    """Google Workspace's directory: Chromebooks, users and org units, for reading.

    It is a [`Connector`][assetflow.connectors.spec.Connector], so it can be pulled from; and each
    of its listings can be looped over by itself. One may be used by several threads. Nothing is
    connected before the first call.

    Args:
        credentials: A [`ServiceAccount`][assetflow.connectors.google.ServiceAccount], a
            [`Keyless`][assetflow.connectors.google.Keyless], or any other token source.
        customer: ``my_customer`` for the admin's own, or the customer's id such as ``C03az79cb``.
        student_units: Paths of the org units that hold students' accounts.
        page_size: Devices on a page, 1 to 300.
        count_org_units: Whether a pull counts the devices of each org unit first. It tells where
            records were lost, and takes one call after another for each org unit.
        reads_per_minute: The project's quota for one admin; ``None`` for no limit of our own.
        base_url: Where the Directory API is; another address is for tests.
        http_client: An `httpx.Client` of your own for sync calls, never closed here.
        async_http_client: An `httpx.AsyncClient` of your own for async calls, never closed here.
        app_id: Who runs this, for the User-Agent, such as ``lincoln-portal/2.1``.
        limits: Bounds of each call in seconds and bytes.
        retry: How often to try again.
        hooks: Who is told of calls and retries.
        trust_env: Whether proxies come from the environment.

    Example:
        >>> google = GoogleAdmin.from_env()  # doctest: +SKIP
        >>> for device in google.chromebooks(org_unit="/Students/LHS"):  # doctest: +SKIP
        ...     print(device.serial, device.last_seen_at)
    """

    def __init__(
        self,
        credentials: TokenSource,
        *,
        customer: str = "my_customer",
        student_units: Sequence[str] = ("/Students",),
        page_size: int = DEVICE_PAGE,
        count_org_units: bool = False,
        reads_per_minute: int | None = 2_400,
        base_url: str = GOOGLE_URL,
        http_client: Any = None,
        async_http_client: Any = None,
        app_id: str | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        hooks: Hooks | None = None,
        trust_env: bool = False,
    ) -> None:
        if not 1 <= page_size <= DEVICE_PAGE:
            raise InvalidValue(f"page_size is 1 to {DEVICE_PAGE}")
        if isinstance(student_units, str):
            raise InvalidValue("student_units is a list of paths, not one text")
        if not customer.strip() or "/" in customer:
            raise InvalidValue("customer is my_customer or an id such as C03az79cb")
        self._directory = Directory(customer, DeviceMapper(), page_size)
        self._student_units = tuple(student_units)
        self._count_org_units = count_org_units
        self._credentials = credentials
        buckets = {} if reads_per_minute is None else {"read": _bucket(reads_per_minute)}
        self._options: dict[str, Any] = {
            "connector": self.name,
            "tokens": credentials,
            "classify": classify,
            "limits": limits,
            "retry": retry or _RETRY,
            "buckets": buckets,
            "trust_env": trust_env,
            "app_id": app_id,
            "hooks": hooks,
        }
        self._base_url = base_url
        self._clients = (http_client, async_http_client)
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._async_wire: AsyncWire | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, /, **options: Any) -> Self:
        """A connector from the environment.

        | variable | meaning |
        |---|---|
        | ``ASSETFLOW_GOOGLE_KEY_FILE`` | the service account's key file |
        | ``ASSETFLOW_GOOGLE_SERVICE_ACCOUNT`` | its address instead, for keyless use |
        | ``ASSETFLOW_GOOGLE_SUBJECT`` | the admin as whom it acts |
        | ``ASSETFLOW_GOOGLE_CUSTOMER`` | the customer, ``my_customer`` unless given |
        | ``ASSETFLOW_GOOGLE_SCOPES`` | scopes, if others were granted |
        | ``ASSETFLOW_GOOGLE_BASE_URL`` | another address, for tests; one on this machine needs no credentials |

        Args:
            environ: Instead of the process's environment.
            **options: What [`GoogleAdmin`][assetflow.connectors.GoogleAdmin] takes; they win.

        Raises:
            ConfigError: A variable is missing, or its value cannot be used.
        """
        env = os.environ if environ is None else environ
        customer = env.get("ASSETFLOW_GOOGLE_CUSTOMER")
        if customer:
            options.setdefault("customer", customer)
        base_url = env.get("ASSETFLOW_GOOGLE_BASE_URL")
        if base_url:
            options.setdefault("base_url", base_url)
        credentials = options.pop("credentials", None) or _credentials(env, base_url or "")
        return cls(credentials, **options)

    def __repr__(self) -> str:
        return f"GoogleAdmin(customer={self._directory.customer!r}, base_url={self._base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    # --- the connector ----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The source's name: ``google``."""
        return "google"

    @property
    def capabilities(self) -> frozenset[ConnectorCapability]:
        """What it can do."""
        return _CAPABILITIES

    @property
    def raw_dictionaries(self) -> Mapping[int, bytes]:
        """Dictionaries for raw records by version."""
        return RAW_DICTIONARIES

    def plan(self, kind: ObservedKind) -> Flow[ShardPlan]:
        """Find out how to read all devices, people or org units.

        Raises:
            CapabilityMissing: Google does not list that kind.
        """
        if kind is ObservedKind.DEVICE:
            return plan_devices(self._directory, count_org_units=self._count_org_units)
        if kind is ObservedKind.PERSON:
            return plan_people(self._directory, self._student_units)
        if kind is ObservedKind.ORG_UNIT:
            return plan_org_units(self._directory)
        raise CapabilityMissing(
            f"Google lists no {kind.value}s", connector=self.name, capability=kind.value
        )

    def checks(self) -> Sequence[Callable[[], Flow[Check]]]:
        """What ``assetflow doctor`` runs: reachable, counted, and each scope."""
        return checks(self._directory)

    @property
    def wire(self) -> Wire:
        """The sync driver; made at the first use, shared by threads."""
        with self._lock:
            if self._wire is None:
                self._wire = Wire(self._base_url, http_client=self._clients[0], **self._options)
            return self._wire

    @property
    def async_wire(self) -> AsyncWire:
        """The async driver; made at the first use, in the running event loop."""
        with self._lock:
            if self._async_wire is None:
                self._async_wire = AsyncWire(
                    self._base_url, http_client=self._clients[1], **self._options
                )
            return self._async_wire

    def close(self) -> None:
        """Close the sync driver's connections; a client of your own stays open."""
        if self._wire is not None:
            self._wire.close()

    async def aclose(self) -> None:
        """Close both drivers' connections."""
        self.close()
        if self._async_wire is not None:
            await self._async_wire.aclose()

    # --- reading ----------------------------------------------------------------------------

    def chromebooks(
        self,
        *,
        org_unit: str | None = None,
        below: bool = True,
        query: str | None = None,
        on_problem: Callable[[Problem], None] | None = None,
    ) -> Records[ObservedDevice]:
        """Chromebooks, read anew by each loop.

        Args:
            org_unit: Only those of this org unit, by path or id.
            below: With *org_unit*: also those of the org units below it.
            query: Google's query language, such as ``sync:..2026-09-01`` or ``status:disabled``.
            on_problem: Told of each record that cannot be read; without it the loop ends with a
                `PayloadError` that names them.
        """
        listing = self._directory.chromebooks(org_unit=org_unit, below=below, query=query)
        return Records(lambda: self.wire, lambda: _given(listing), on_problem=on_problem)

    def achromebooks(
        self,
        *,
        org_unit: str | None = None,
        below: bool = True,
        query: str | None = None,
        on_problem: Callable[[Problem], None] | None = None,
    ) -> AsyncRecords[ObservedDevice]:
        """[`chromebooks`][assetflow.connectors.GoogleAdmin.chromebooks] for ``async for``."""
        listing = self._directory.chromebooks(org_unit=org_unit, below=below, query=query)
        return AsyncRecords(lambda: self.async_wire, lambda: _given(listing), on_problem=on_problem)

    def users(
        self,
        *,
        domain: str | None = None,
        query: str | None = None,
        on_problem: Callable[[Problem], None] | None = None,
    ) -> Records[ObservedPerson]:
        """Users, read anew by each loop; the org units are asked for first, for their ids.

        Args:
            domain: Only those of this domain of the customer.
            query: Google's query language, such as ``isSuspended=false``.
            on_problem: Told of each record that cannot be read.
        """
        return Records(
            lambda: self.wire, lambda: self._people(domain, query), on_problem=on_problem
        )

    def ausers(
        self,
        *,
        domain: str | None = None,
        query: str | None = None,
        on_problem: Callable[[Problem], None] | None = None,
    ) -> AsyncRecords[ObservedPerson]:
        """[`users`][assetflow.connectors.GoogleAdmin.users] for ``async for``."""
        return AsyncRecords(
            lambda: self.async_wire, lambda: self._people(domain, query), on_problem=on_problem
        )

    def org_units(self) -> Records[ObservedOrgUnit]:
        """The tree of org units, the root included."""
        return Records(lambda: self.wire, lambda: _given(self._directory.org_units()))

    def aorg_units(self) -> AsyncRecords[ObservedOrgUnit]:
        """[`org_units`][assetflow.connectors.GoogleAdmin.org_units] for ``async for``."""
        return AsyncRecords(lambda: self.async_wire, lambda: _given(self._directory.org_units()))

    def count(
        self, *, org_unit: str | None = None, below: bool = True, query: str | None = None
    ) -> int:
        """How many Chromebooks there are; the arguments are those of `chromebooks`."""
        call = self._directory.count(org_unit=org_unit, below=below, query=query)
        return parse_count(self.wire.send(call).body)

    async def acount(
        self, *, org_unit: str | None = None, below: bool = True, query: str | None = None
    ) -> int:
        """[`count`][assetflow.connectors.GoogleAdmin.count] in an event loop."""
        call = self._directory.count(org_unit=org_unit, below=below, query=query)
        return parse_count((await self.async_wire.send(call)).body)

    def get_chromebook(self, device_id: str) -> ObservedDevice:
        """One Chromebook by Google's device id.

        Raises:
            RemoteNotFound: Google has none.
        """
        reply = self.wire.send(self._directory.chromebook(device_id))
        return parse_chromebook(self._directory.devices, reply.body)

    async def aget_chromebook(self, device_id: str) -> ObservedDevice:
        """[`get_chromebook`][assetflow.connectors.GoogleAdmin.get_chromebook] in an event loop."""
        reply = await self.async_wire.send(self._directory.chromebook(device_id))
        return parse_chromebook(self._directory.devices, reply.body)

    def find_chromebook(self, serial: str) -> ObservedDevice | None:
        """The Chromebook with exactly that serial number, letter case aside.

        Returns:
            ``None`` when Google has none.

        Raises:
            AmbiguousReference: Google has several; the error lists their device ids.
            InvalidValue: Fewer than three characters, which Google does not look up.
        """
        flow = find_device(self._directory, serial, matching_serial(serial))
        return _only(self.wire.run(flow))

    async def afind_chromebook(self, serial: str) -> ObservedDevice | None:
        """[`find_chromebook`][assetflow.connectors.GoogleAdmin.find_chromebook] in an event loop."""
        flow = find_device(self._directory, serial, matching_serial(serial))
        return _only(await self.async_wire.run(flow))

    def request(self, method: str, path: str, *, params: Mapping[str, str] | None = None) -> Any:
        """Any other read of the same host, with this connector's credentials and retries.

        Args:
            method: ``GET``; anything that writes is refused.
            path: Below the base address, such as ``admin/directory/v1/customers/my_customer``.
            params: Query parameters.

        Returns:
            The answer's JSON as plain data; ``None`` for an empty answer.

        Raises:
            WritesDisabled: Another method than GET.
        """
        return _plain(self.wire.send(_request(method, path, params)))

    async def arequest(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None
    ) -> Any:
        """[`request`][assetflow.connectors.GoogleAdmin.request] in an event loop."""
        return _plain(await self.async_wire.send(_request(method, path, params)))

    def _people(self, domain: str | None, query: str | None) -> Flow[Listing[ObservedPerson]]:
        return list_people(self._directory, self._student_units, domain=domain, query=query)


def _bucket(reads_per_minute: int) -> TokenBucket:
    if reads_per_minute < 2:
        raise InvalidValue("reads_per_minute is 2 or more")
    burst = min(_BURST, reads_per_minute // 2)
    return TokenBucket((reads_per_minute - burst) / 60, burst)


def _given(listing: Listing[Any]) -> Flow[Listing[Any]]:
    yield from ()
    return listing


def _only(found: Sequence[ObservedDevice]) -> ObservedDevice | None:
    ids = sorted({device.source_id for device in found})
    if len(ids) > 1:
        raise AmbiguousReference("several Chromebooks have that serial number", candidates=ids)
    return found[0] if found else None


def _request(method: str, path: str, params: Mapping[str, str] | None) -> Call:
    if method.upper() != "GET":
        raise WritesDisabled("this connector reads only", connector="google", operation="request")
    return Call(method="GET", path=path, operation="request", params=tuple((params or {}).items()))


def _plain(reply: Reply) -> Any:
    if not reply.body.strip():
        return None
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise PayloadError(
            "the answer is not JSON", connector="google", operation="request", status=reply.status
        ) from None


def _credentials(env: Mapping[str, str], base_url: str) -> TokenSource:
    subject = env.get("ASSETFLOW_GOOGLE_SUBJECT", "")
    scopes = env.get("ASSETFLOW_GOOGLE_SCOPES", "").replace(",", " ").split() or READ_SCOPES
    key_file = env.get("ASSETFLOW_GOOGLE_KEY_FILE")
    account = env.get("ASSETFLOW_GOOGLE_SERVICE_ACCOUNT")
    if key_file:
        return ServiceAccount.from_file(key_file, subject=subject, scopes=scopes)
    if account:
        return Keyless(account, subject=subject, source=application_default(), scopes=scopes)
    if base_url.startswith(_LOOPBACK):
        return NoAuth()
    raise ConfigError(
        "no credentials for Google are set",
        hint="Set ASSETFLOW_GOOGLE_KEY_FILE and ASSETFLOW_GOOGLE_SUBJECT: see how-to/pull-from-google.",
    )
