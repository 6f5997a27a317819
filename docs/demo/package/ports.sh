#!/bin/sh
# Attaches the program to a control group: ports.sh CGROUP
exec bpfsig load ports.bpf.o --cgroup "$1" --attach
