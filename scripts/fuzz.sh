#!/bin/bash
# Goes on with the tests that have no end, and stops at the first fault:
#
#     scripts/fuzz.sh facts|races|dearest [LOADS [SEED [KERNEL]]]
#     scripts/fuzz.sh crowd [SECONDS [SEED [KERNEL]]]
#     scripts/fuzz.sh faults
#
# facts: loads programs with made-up facts that a trusted attester has signed, on a kernel that finds its own wrong uses of
# memory (kasan: user-mode Linux, fast, without the JIT). races: loads programs while what they refer to is changed and changed
# back at random. dearest: looks for the load that costs most before it is refused. By default 100,000, 10,000 and 300 loads.
# crowd: tests in each other's way, for five minutes, on a kernel that finds data races (kcsan). faults: has each allocation and
# each access to the caller's memory in a load fail in turn.
#
# KERNEL can be `sanitized` for all: KASAN, UBSAN and leak detection in QEMU, with the JIT, and slow. Or `kcsan`, with two CPUs,
# which fails in the end if data races have to do with eBPF or keys.
#
# Adds a line to results/fuzz.csv: date, what was tried, loads (crowd: seconds), seed, kernel, commit, and the exit code.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=(--release)
source scripts/common.sh

case ${1-} in
facts)
	amount=100000 test=made_up_facts variant=kasan
	;;
races)
	amount=10000 test=at_random_nothing variant=patched
	;;
dearest)
	amount=300 test=dearest variant=patched
	;;
crowd)
	amount=300 test=crowd variant=kcsan
	;;
faults)
	amount= test=faults variant=sanitized
	;;
*) fail "what is to be tried: facts, races, dearest, crowd, or faults?" ;;
esac
amount=${2-$amount} seed=${3-1} variant=${4-$variant}
start=()
append="sysctl.kernel.bpf_signature_failures_us=0 kasan.fault=panic loglevel=4"
case $variant in
kasan) machine=(--engine uml --append "$append panic_on_warn=1") ;;
patched) machine=(--append "$append") ;;
# Evaluating ACPI's table of interrupts takes that kernel longer than a machine may take to boot.
sanitized) machine=(--append "$append acpi=noirq") ;;
# Data races in other parts of the kernel go on record, and it goes on. More of its accesses are watched than by default.
kcsan)
	machine=(--cpus 2 --append "$append loglevel=3 panic_on_warn=0 log_buf_len=16M kcsan.skip_watch=300 kcsan.udelay_task=40")
	start=(scripts/fuzz/data_races.sh)
	;;
*) fail "no kernel $variant: there are kasan, patched, sanitized and kcsan" ;;
esac

tests=$(test_program)
kernel=$(dirname "$(bpfsig kernel build --variant "$variant")")
# The virtual machine has a /tmp of its own.
work=$(realpath "$(mktemp -d -p target)")
trap 'rm -rf "$work"' EXIT
cp "$kernel"/ca.{key,pem} "$work"
signers "$work" "$kernel"
try=("$tests" --ignored --nocapture "$test")
[[ $test != crowd ]] || try=(scripts/fuzz/crowd.sh "$tests" "$amount" "$seed")
code=0
bpfsig vm --variant "$variant" "${machine[@]}" -- \
	env BPFSIG_FUZZ_LOADS="$amount" BPFSIG_FUZZ_SEED="$seed" BPFSIG_TEST_KEYS="$work" \
	"${start[@]}" "${try[@]}" || code=$?
echo "$(date --utc +%F),$1,$amount,$seed,$(basename "$kernel"),$(git rev-parse --short HEAD),$code" >>results/fuzz.csv
exit $code
