# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cron_next
short_description: Compute when a cron schedule next runs
version_added: 0.1.0
description:
  - Computes when cron will next run a command with this schedule, according to the rules in C(crontab(5)).
  - The filter ignores changes between standard and daylight saving time.
positional: _input
options:
  _input:
    description: The schedule, which is V(hourly), V(daily), V(weekly), V(monthly), V(yearly), V(reboot), or five fields such as V(0 4 * * 1-5).
    type: string
    required: true
  after:
    description: The start time in UTC, such as V(2026-11-29T08:00:00Z). The filter returns the first run after this time.
    type: string
    required: true
  offset:
    description: The UTC offset of the time zone that cron uses, in the format that C(date +%z) prints.
    type: string
    default: "+0000"
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Show when the next backup starts
  ansible.builtin.debug:
    msg: "{{ '0 4 * * 1-5' | drayage.registry.cron_next(after='2026-11-29T08:00:00Z', offset='+0100') }}"
    # => 2026-11-30T03:00:00Z
"""

RETURN = r"""
_value:
  description: The time of the next run, in UTC. Empty for V(reboot), and for a schedule that never runs, such as V(0 0 31 2 *).
  type: string
  sample: "2026-11-30T03:00:00Z"
"""

import datetime
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.plugin_utils._cron import next_run

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def cron_next(schedule: t.Any, after: t.Any, offset: t.Any = "+0000") -> str:
    """Compute when a cron schedule next runs."""
    try:
        zone = datetime.datetime.strptime(str(offset), "%z").tzinfo
        start = datetime.datetime.strptime(str(after), _FORMAT).replace(tzinfo=datetime.timezone.utc)
        found = next_run(str(schedule), start.astimezone(zone))
    except (ValueError, OverflowError) as error:  # the latter for a run after the year 9999
        raise AnsibleFilterError("cron_next: '%s' is not a valid schedule: %s." % (schedule, error)) from None
    return found.astimezone(datetime.timezone.utc).strftime(_FORMAT) if found else ""


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By the name that templates use."""
        return {"cron_next": cron_next}
