#!/bin/sh
# Runs every target for its share of INPUTS (ten million in all), beginning with the committed corpus. What a target finds
# on the way stays in target/; an input that fails is kept there too and its path is printed.
set -eu
cd "$(dirname "$0")"
targets="datagram records log snapshot handshake dict_merge relay frames engine"
share=$((${INPUTS:-10000000} / $(echo $targets | wc -w)))
cargo build -q --release
for target in $targets; do
    mkdir -p "target/corpus/$target" target/failures
    echo "$target: $share inputs"
    cargo run -q --release --bin "$target" -- -runs="$share" -max_len=4096 -timeout=5 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="target/failures/$target-" "target/corpus/$target" "corpus/$target"
done
