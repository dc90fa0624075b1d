#!/bin/sh
# aarch64.sh [CTEST-OPTION...]: cross build for 64-bit Arm with the NEON kernels, and the tests under qemu. On Debian and
# Ubuntu; fetches the Arm builds of the libraries into build-aarch64/sysroot, the system is left as it is (but for the cross
# compiler and qemu-user).
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh
attend_need gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user cmake pkg-config
build=build-aarch64
root=$PWD/$build/sysroot
if [ ! -d "$root/usr/include" ]; then
	mkdir -p "$root" "$build/apt/lists/partial" "$build/apt/cache/archives/partial"
	apt="$PWD/$build/apt"
	options="-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists=$apt/lists
		-o Dir::Cache=$apt/cache -o Debug::NoLocking=1 -o APT::Sandbox::User=root"
	# shellcheck disable=SC2086 # a list of words
	(cd "$apt" && apt-get $options update && apt-get $options download libcmocka-dev libcmocka0 libcjson-dev libcjson1 \
		libutf8proc-dev "$(apt-cache depends libutf8proc-dev | sed -n 's/.*Depends: \(libutf8proc[0-9].*\)/\1/p')" \
		libonig-dev libonig5 zlib1g-dev zlib1g)
	for package in "$apt"/*.deb; do dpkg-deb -x "$package" "$root"; done
	# Links that are absolute on the target.
	find "$root" -type l | while read -r link; do
		target=$(readlink "$link")
		case $target in /*) ln -sf "$root$target" "$link" ;; esac
	done
fi
export PKG_CONFIG_LIBDIR="$root/usr/lib/aarch64-linux-gnu/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
export QEMU_SET_ENV="LD_LIBRARY_PATH=$root/usr/lib/aarch64-linux-gnu:$root/lib/aarch64-linux-gnu"
attend_build "$build" -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake -DATTEND_BLAS=OFF -DATTEND_BUILD_TESTS=ON \
	-DCMAKE_BUILD_TYPE=Release
sh tests/count.sh "$build" -L quick "$@"
