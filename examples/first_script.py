"""A first script: what needs doing today. Run it beside the folder that `assetflow demo` made."""

from datetime import date

import assetflow as af

with af.open("assetflow-demo/maple-valley.db", actor="first-script") as district:
    ending = af.F.auto_update_ends < date(2027, 7, 1)
    aging = district.devices.where(af.F.lifecycle != "retired", ending)
    print(f"{aging.count()} devices get no updates after June 2027")

    for item in district.attention(kinds=["overdue-loan"])[:5]:
        print(f"{item.label}: {item.age_days} days overdue, {item.money}")

    tag = district.attention(kinds=["overdue-loan"])[0].label
    done = district.custody.check_in(tag, condition="good", dry_run=True)
    print(f"{tag} would be {done.device.lifecycle.value}; nothing was written")
