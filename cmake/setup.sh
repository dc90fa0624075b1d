# setup.sh: sourced by apps/try.sh and tests/run.sh: installs what is missing, configures and builds.
#
#   attend_need PACKAGE...   on Debian and Ubuntu: install the missing ones, as root or through sudo; else name them and stop
#   attend_build FOLDER CMAKE-OPTION...

attend_packages='gcc libc6-dev make cmake pkg-config libcjson-dev libutf8proc-dev libonig-dev libopenblas-openmp-dev zlib1g-dev'

attend_installed()
{
	dpkg-query -W -f='${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed$'
}

# Not Debian: look for the things themselves. Prints what is missing, in the names of their projects.
attend_missing_elsewhere()
{
	command -v cc >/dev/null || command -v gcc >/dev/null || printf ' a-C11-compiler'
	for tool in make cmake pkg-config; do
		command -v "$tool" >/dev/null || printf ' %s' "$tool"
	done
	for library in libcjson libutf8proc oniguruma openblas zlib; do
		pkg-config --exists "$library" 2>/dev/null || printf ' %s' "$library"
	done
	case " $* " in
	*' libcmocka-dev '*)
		pkg-config --exists cmocka 2>/dev/null || printf ' cmocka'
		command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || printf ' a-C++-compiler'
		;;
	esac
}

attend_need()
{
	if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
		missing=$(attend_missing_elsewhere "$@")
		[ -z "$missing" ] && return 0
		echo "Please install:$missing" >&2
		exit 1
	fi
	missing=
	for package in "$@"; do
		attend_installed "$package" || missing="$missing $package"
	done
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" = 0 ]; then
		as_root=
	elif command -v sudo >/dev/null; then
		as_root=sudo
	else
		echo "Please install, as root: apt-get install$missing" >&2
		exit 1
	fi
	echo "Installing:$missing" >&2
	log=$(mktemp)
	# shellcheck disable=SC2086 # lists of words
	if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
		$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "Could not install:$missing" >&2
		exit 1
	fi
	rm -f "$log"
}

attend_jobs()
{
	nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

attend_build()
{
	folder=$1
	shift
	log=$folder/build.log
	mkdir -p "$folder"
	if ! cmake -S . -B "$folder" "$@" >"$log" 2>&1 || ! cmake --build "$folder" -j "$(attend_jobs)" >>"$log" 2>&1; then
		tail -n 60 "$log" >&2
		echo "The build failed: $log" >&2
		exit 1
	fi
}
