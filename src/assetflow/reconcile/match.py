"""Which device a source's record is: by the vendor's id, else by serial, else by tag, else nobody knows."""

from collections.abc import Iterable, Iterator

from attrs import field, frozen

from assetflow.model.devices import fold_serial, fold_tag
from assetflow.model.ids import DeviceId
from assetflow.model.observed import ObservedDevice

__all__ = ["DeviceIndex", "IndexedDevice", "Match"]


@frozen
class IndexedDevice:
    """What matching needs to know of a device."""

    id: DeviceId
    """Its id."""
    serial: str | None
    """Its serial."""
    asset_tag: str | None
    """Its tag."""
    gone: bool = False
    """Whether it is disposed of: such a tag or serial never becomes live again by itself."""


@frozen(kw_only=True)
class Match:
    """The answer: a device, nobody, or several that it could be."""

    device_id: DeviceId | None = None
    """The device, when there is exactly one."""
    how: str = "new"
    """``source-id``, ``serial``, ``asset-tag``; ``new`` when nothing answers; ``unsure`` when a
    person must say."""
    candidates: tuple[DeviceId, ...] = ()
    """The devices that it could be, when ``unsure``."""
    reason: str | None = None
    """Why it is unsure, as a code."""


@frozen
class DeviceIndex:
    """All devices of a district by what a source may know of them.

    It grows with [`add`][assetflow.reconcile.DeviceIndex.add] as a run registers devices.
    """

    by_id: dict[DeviceId, IndexedDevice] = field(factory=dict)
    """Id to device."""
    links: dict[str, DeviceId] = field(factory=dict)
    """The source's id to device."""
    linked: dict[DeviceId, str] = field(factory=dict)
    """Device to the source's id."""
    by_serial: dict[str, list[DeviceId]] = field(factory=dict)
    """Serial in upper case to devices."""
    by_tag: dict[str, list[DeviceId]] = field(factory=dict)
    """Folded tag to devices."""
    by_alike: dict[str, list[DeviceId]] = field(factory=dict)
    """Serial folded over characters that look alike to devices."""

    @classmethod
    def of(
        cls, devices: Iterable[IndexedDevice], links: Iterable[tuple[str, DeviceId]]
    ) -> "DeviceIndex":
        """Index devices, and the links of one source."""
        index = cls()
        for device in devices:
            index.add(device)
        for source_id, device_id in links:
            index.link(source_id, device_id)
        return index

    def add(self, device: IndexedDevice) -> None:
        """A device that is there from now on, or has another serial or tag from now on."""
        before = self.by_id.get(device.id)
        if before is not None:
            for table, key in self._keys(before):
                table[key].remove(device.id)
        self.by_id[device.id] = device
        for table, key in self._keys(device):
            table.setdefault(key, []).append(device.id)

    def _keys(self, device: IndexedDevice) -> Iterator[tuple[dict[str, list[DeviceId]], str]]:
        serial, tag = fold_tag(device.serial), fold_tag(device.asset_tag)
        alike = fold_serial(device.serial)
        if serial:
            yield self.by_serial, serial
        if tag:
            yield self.by_tag, tag
        if alike:
            yield self.by_alike, alike

    def is_taken(
        self, device_id: DeviceId, *, serial: str | None = None, asset_tag: str | None = None
    ) -> bool:
        """Whether another device has that serial or tag; one that is disposed of counts too."""
        same = (
            *self.by_serial.get(fold_tag(serial) or "", ()),
            *self.by_tag.get(fold_tag(asset_tag) or "", ()),
        )
        return any(other != device_id for other in same)

    def link(self, source_id: str, device_id: DeviceId) -> None:
        """The source's record is that device from now on."""
        self.links[source_id] = device_id
        self.linked[device_id] = source_id

    def match(self, observed: ObservedDevice) -> Match:
        """Which device a record is.

        An automatic match is exact and unique, and contradicts nothing. A serial that differs
        only in characters that look alike is a suggestion to a person, never a match; makers
        number in letters and digits, so two such serials that the source itself gives are two
        devices.
        """
        known = self.links.get(observed.source_id)
        if known is not None:
            return Match(device_id=known, how="source-id")
        serial, tag = fold_tag(observed.serial), fold_tag(observed.asset_tag)
        same_serial = self.by_serial.get(serial, []) if serial else []
        same_tag = self.by_tag.get(tag, []) if tag else []
        if len(same_serial) > 1:
            return _unsure("serial-of-several", same_serial)
        if same_serial:
            return self._settle(same_serial[0], "serial", observed)
        alike = self.by_alike.get(fold_serial(observed.serial) or "", [])
        # a device that the source itself knows under another serial is no slip of the pen
        alike = [device_id for device_id in alike if device_id not in self.linked]
        if alike:
            return _unsure("serial-looks-alike", alike)
        if len(same_tag) > 1:
            return _unsure("tag-of-several", same_tag)
        if same_tag:
            device = self.by_id[same_tag[0]]
            if device.serial and serial:
                return _unsure("tag-with-other-serial", same_tag)
            return self._settle(device.id, "asset-tag", observed)
        return Match()

    def _settle(self, device_id: DeviceId, how: str, observed: ObservedDevice) -> Match:
        if self.by_id[device_id].gone:
            return _unsure("device-is-disposed", [device_id])
        if device_id in self.linked and self.linked[device_id] != observed.source_id:
            return _unsure("device-has-another-record", [device_id])
        return Match(device_id=device_id, how=how)


def _unsure(reason: str, candidates: list[DeviceId]) -> Match:
    return Match(how="unsure", reason=reason, candidates=tuple(candidates[:10]))
