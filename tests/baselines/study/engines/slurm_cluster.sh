#!/bin/bash
# A SLURM cluster of one node on this machine's loopback, everything of it in one folder (Debian: slurm-wlm, munge).
#
#     slurm_cluster.sh start FOLDER     then: export SLURM_CONF=FOLDER/slurm.conf
#     slurm_cluster.sh stop FOLDER
set -euo pipefail
verb=$1
folder=$(realpath -m "$2")

start() {
  mkdir -p "$folder"/{munge,state,spool}
  chmod 700 "$folder/munge"
  /usr/sbin/mungekey --create --force --keyfile="$folder/munge/key"
  /usr/sbin/munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
  # Requeued jobs wait until their credential has expired, by default for two minutes.
  cat > "$folder/slurm.conf" <<CONF
ClusterName=mllmu
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=${SLURM_TEST_PORT:-16817}
SlurmdPort=$((${SLURM_TEST_PORT:-16817} + 1))
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=100000
ReturnToService=2
KillWait=10
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  export SLURM_CONF="$folder/slurm.conf"
  /usr/sbin/slurmctld -f "$SLURM_CONF"
  /usr/sbin/slurmd -f "$SLURM_CONF"
  for _ in $(seq 120); do
    sinfo --noheader -o %T 2> /dev/null | grep -q idle && return
    sleep 0.5
  done
  sinfo >&2 || true
  tail -n 20 "$folder"/slurm*.log >&2
  exit 1
}

stop() {
  export SLURM_CONF="$folder/slurm.conf"
  scancel --me 2> /dev/null || true
  for pid in "$folder"/{slurmd,slurmctld}.pid "$folder/munge/pid"; do
    [ -f "$pid" ] || continue
    process=$(cat "$pid")
    kill "$process" 2> /dev/null || true
    for _ in $(seq 100); do kill -0 "$process" 2> /dev/null || break; sleep 0.1; done
    kill -9 "$process" 2> /dev/null || true
  done
}

"$verb"
