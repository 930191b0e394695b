# SPDX-License-Identifier: BSD-3-Clause
# Sourced by quickstart and runtests: installs the Debian packages of packages.txt that are missing,
# and unpacks what is only to be unpacked.
#
# Invariants: when nothing is missing, only dpkg-query is run; no installation starts a service;
# a file that is made here (policy-rc.d) is removed again.

packages_list() { # groups...: the packages of these groups
	awk -v groups=" $* " '!/^#/ && NF == 2 && index(groups, " " $1 " ") { print $2 }' \
		"$(dirname "${BASH_SOURCE[0]}")/packages.txt"
}

packages_missing() { # groups...: those of their packages that are not installed
	local wanted have
	wanted=$(packages_list "$@" | sort -u)
	# shellcheck disable=SC2086 # one word each
	have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
		awk '$1 == "installed" { print $2 }' | sort -u)
	comm -23 <(echo "$wanted") <(echo "$have")
}

packages_ensure() { # groups...: 0 when all are there
	local missing sudo=""
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "install: not a Debian system; what is needed stands in tests/support/packages.txt" >&2
		return 1
	fi
	missing=$(packages_missing "$@" | tr '\n' ' ')
	[[ -z ${missing// /} ]] && return 0
	if ((EUID != 0)); then
		sudo=$(command -v sudo) || {
			echo "install: packages are missing and installing them needs root. As root, run:" >&2
			echo "    apt-get update && apt-get install --no-install-recommends $missing" >&2
			return 1
		}
	fi
	echo "-- installing with apt-get: $missing"
	packages_install "$sudo" "$missing"
}

# Debian starts a service when its package arrives; redis-server is wanted as a program only, so
# starting is refused for as long as this runs. In a subshell: its exit removes the refusal, also
# after Ctrl-C.
packages_install() ( # "sudo" or "", "package package ..."
	sudo=$1
	log=$(mktemp)
	policy=""
	trap 'rm -f "$log"; if [[ -n $policy ]]; then $sudo rm -f "$policy"; fi' EXIT
	if [[ ! -e /usr/sbin/policy-rc.d ]]; then
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
		$sudo chmod 755 "$policy"
	fi
	# shellcheck disable=SC2086 # one word each
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null >"$log" 2>&1 &&
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q install -y \
			--no-install-recommends $2 </dev/null >>"$log" 2>&1 && exit 0
	echo "install: apt-get failed; its last lines:" >&2
	tail -n 20 "$log" >&2
	exit 1
)

# Fetches the packages that those of group unpack stand for (linux-image-x for linux-image-1.2-x)
# and unpacks them into DIR. A DIR that is there is complete. 1: not to be had now.
packages_unpack() ( # DIR
	to=$(realpath -m "$1")
	[[ -d $to ]] && return 0
	names=$(packages_list unpack)
	part=$to.part
	trap 'rm -rf "$part"' EXIT
	rm -rf "$part"
	mkdir -p "$part/debs" && cd "$part/debs" || return 1
	packages_fetch "$names" || { # the lists of packages may be missing or old
		sudo=""
		((EUID == 0)) || sudo="sudo -n"
		$sudo apt-get -q update >/dev/null 2>&1
		packages_fetch "$names"
	} || return 1
	for deb in *.deb; do
		dpkg-deb -x "$deb" "$part" || return 1
	done
	rm -rf "$part/debs"
	mv "$part" "$to"
)

packages_fetch() { # "package package ...", into the current directory
	local name stands=()
	for name in $1; do
		mapfile -t -O ${#stands[@]} stands < <(apt-cache depends "$name" 2>/dev/null |
			awk -v start="${name%%-*}-" '$1 == "Depends:" && index($2, start) == 1 { print $2 }')
	done
	((${#stands[@]})) && apt-get -q download "${stands[@]}" >/dev/null 2>&1
}
