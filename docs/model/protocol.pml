/* The protocol of fence, unfence and watchdog: what the operations do to one Cluster, step by step, while
 * everything around them acts at any moment. README.md says what is asserted and what is left out;
 * check.sh runs the configurations, and the mutants (M_...: one line of the protocol changed) that have to fail.
 *
 * One atomic block is one step in the world: an exec in a pod, or a read of the API with the patch that tests it.
 * Reads and their patch are apart where an exec lies between, or where the kind of test matters.
 *
 * Configuration: EDB (the entry comes by the operator's command, else by our patch), SMALL (two instances, else
 * three), budgets CRASH, ABANDON (Kasten gives up waiting for a hook), HUMAN, LOSS (of the primary), REELECT,
 * STRAY (snapshots of others), AGAIN (Kasten's own, taken again), ATTEMPTS; CALM (the deadline does not pass: then a backup has to be green).
 * LOSS falls at any moment, also between a look and its patch where an exec lies between.
 *
 * The instances are the first primary (0) and replicas 1 and 2: the fence list is a mask, i the bit of i.
 */
#ifndef CRASH
#define CRASH 0
#endif
#ifndef ABANDON
#define ABANDON 0
#endif
#ifndef HUMAN
#define HUMAN 0
#endif
#ifndef LOSS
#define LOSS 0
#endif
#ifndef REELECT
#define REELECT 0
#endif
#ifndef STRAY
#define STRAY 0
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 1
#endif
#ifndef AGAIN
#define AGAIN 0
#endif
#define SNAPSHOTS (ATTEMPTS + AGAIN + STRAY)

/* states, verdicts, owners of an entry (ghosts: real entries are bare names), exit codes */
#define PLACING 1
#define FENCED  2
#define SEALED  3
#define ENDING  4
#define ENDED   5
#define HELD    1
#define BROKEN  2
#define ROLLED  3
#define OURS    1
#define PERSON  2
#define RUNNING 9
#define DEAD    8
#define GREEN   10      /* plus the id of the fence */

/* ---- the Cluster: fence list, record, who leads */
byte list;
byte rid, rst, rin, rverdict;   /* the record: id, state, instance, verdict */
byte rolder, rjudged;           /* its lists of snapshot UIDs: those are made in order, so a count names a set */
bool rexpired, rdigest;         /* its deadline is over; pg_control still is as in its proof */
byte late[3];                   /* its `late`, by instance: 0 none, 1 until is not over, 2 it is over */
byte primary, elected = 1;
bool leads = 1;                 /* the pod of the primary is ready: this is not written on the Cluster */
bool dirty[3];                  /* by fence: the resource version is another than it read */

/* ---- instances and snapshots */
bool runs[3], behind[3], stale[3], blamed[3];   /* behind the bound; without commits since its stop; see lift() */
byte marked[3], cold[3];        /* fence id in the volume; ghost: stopped ever since that fence proved it */
bool digest[3];                 /* by fence: pg_control as it read it ... */
byte read_on[3];                /* ... on this instance */
byte made, snap_of[SNAPSHOTS], snap_cold[SNAPSHOTS], snap_for[SNAPSHOTS];
bool cut[SNAPSHOTS];

/* ---- bookkeeping of the environment */
byte owner[3], pending[3];      /* commands that outlived their call, by instance */
byte crashes = CRASH, abandons = ABANDON, losses = LOSS, reelections = REELECT, strays = STRAY;
byte alive, commanding, x, fence_code[3], unfence_code[6];
bool over, disturbed;

#define IN(i)     ((list & (i)) != 0)
#define LIVE      (rst != 0 && rst != ENDED)
#ifdef M_OWNED_WHILE_PLACING
#define PLACED    LIVE
#else
#define PLACED    (rst == FENCED || rst == SEALED || rst == ENDING)
#endif
#ifdef M_LATE_FOREVER
#define OWNS(i)   (late[i] || (PLACED && rin == (i)))
#else
#define OWNS(i)   (late[i] == 1 || (late[i] && LIVE) || (PLACED && rin == (i)))
#endif
#define OURS_IN(i) (IN(i) && OWNS(i))
#define STANDS    (LIVE || OURS_IN(1) || OURS_IN(2))
#define LEADERLESS(i) (IN(i) && primary != (i) && !leads)
#ifdef M_LOOKS_AT_ONE_INSTANCE  /* not at what came late to the instance of the fence before */
#define LOST      LEADERLESS(rin)
#else
#define LOST      (LEADERLESS(rin) || (OWNS(1) && LEADERLESS(1)) || (OWNS(2) && LEADERLESS(2)))
#endif
#define CHANGED   dirty[1] = 1; dirty[2] = 1
#define MAY_DIE   crashes > 0 -> crashes--; disturbed = 1

/* An entry leaves by our doing: it is not a person's, and somebody leads (asked for by P3, else judged by what
   it costs: P4). */
inline lift(i) {
  if
  :: IN(i) ->
     assert(owner[i] != PERSON);                                                /* P2 */
     if :: LEADERLESS(i) -> blamed[i] = 1 :: else fi;
#ifdef P3
     assert(!LEADERLESS(i));
#endif
     list = list & (3 - i); owner[i] = 0; CHANGED
  :: else
  fi
}
inline lift_ours() {
  if :: OURS_IN(1) -> lift(1) :: else fi;
  if :: OURS_IN(2) -> lift(2) :: else fi
}
inline place(i) { if :: !IN(i) -> list = list | i; owner[i] = OURS; CHANGED :: else fi }
inline erase(i, id) { if :: marked[i] == id -> marked[i] = 0 :: else fi }
/* The patch of release(): what there is of ours goes, the record ends with the verdict that it has. */
inline end_record(id, v) {
  if
  :: rid == id && LIVE ->
     lift_ours(); rst = ENDED; rexpired = 0; CHANGED;
#ifdef M_VERDICT_OVERWRITTEN
     rverdict = v
#else
     if :: rverdict == 0 -> rverdict = v :: else fi
#endif
  :: rid == id && !LIVE -> lift_ours()
  :: else
  fi
}

/* A command in a pod that outlived its caller: it has its effect once, within its limit. */
proctype Command(byte i) { atomic { place(i); pending[i]--; alive--; i = 0 } }

/* ================================= fence ================================= */
proctype Fence(byte a) {
  byte i, leader, old, seen;
decide:
  atomic {
    i = elected; leader = primary; old = 0;
    if
    :: !leads || primary == i || (IN(1) && !OWNS(1)) || (IN(2) && !OWNS(2)) -> goto refuse
    :: else
    fi;
    if
    :: !STANDS -> goto announce
    :: STANDS && rst == SEALED && rin == i && rdigest && !runs[i] && marked[i] == rid && IN(i) ->
       rid = a; rst = FENCED; rexpired = 0; CHANGED;             /* a dead run's proof is inherited */
       digest[a] = 1; read_on[a] = i; cold[i] = a; goto mark
    :: else -> old = rid
    fi
  }
  atomic { erase(rin, old); if :: MAY_DIE; goto dead :: true fi }
  atomic {                                                       /* release_predecessor */
#ifndef M_PREDECESSOR_WITHOUT_LOOK
    if :: LOST -> goto refuse :: else fi;
#endif
    end_record(old, BROKEN)
  }
  atomic { if :: runs[i] -> goto decide :: !runs[i] && IN(i) -> goto refuse fi }
announce:
  atomic {
    if :: MAY_DIE; goto dead :: LIVE -> goto refuse
    :: !LIVE ->
       rid = a; rst = PLACING; rin = i; rverdict = 0; rexpired = 0; rdigest = 0; rolder = 0; rjudged = 0;
#ifdef M_LATE_DROPPED
       late[1] = 0; late[2] = 0;
#else
       if :: late[1] == 2 -> late[1] = 0 :: else fi;
       if :: late[2] == 2 -> late[2] = 0 :: else fi;
#endif
#ifdef M_SNAPSHOTS_BY_TIME
       rolder = made;
#endif
       CHANGED
    fi
  }
  atomic { if :: leads -> behind[i] = 1 :: !leads -> goto rollback fi }
#ifndef M_NO_BOUND
  atomic { if :: !behind[i] :: behind[i] && (!leads || IN(i)) -> goto rollback fi }
#endif
enter:
#ifdef EDB
  atomic {                                                       /* _expect_entry */
    if :: rid == a && rst == PLACING && list == 0 && primary == leader :: else -> goto rollback fi;
    old = (late[i] == 1);                                        /* a command of a run before may come, too */
#ifndef M_LATE_UNOWNED
    late[i] = 1;
#endif
    CHANGED; commanding++
  }
  atomic {                                                       /* run_hook(pre_backup) */
    if
    :: place(i)
    :: MAY_DIE; pending[i]++; alive++; run Command(i); commanding--; goto dead
    :: MAY_DIE; place(i); commanding--; goto dead
    :: MAY_DIE; place(i); goto on_error                          /* it failed, having had its effect */
    :: MAY_DIE; commanding--; goto rollback                      /* SIGTERM */
    fi
  }
  atomic {                                                       /* _await_entry */
    commanding--;
    if
    :: rid == a && rst == PLACING && IN(i) -> rst = FENCED; CHANGED;
#ifdef M_LATE_FORGOTTEN
       late[i] = 0;
#else
       if :: late[i] == 1 && old :: else -> late[i] = 0 fi;
#endif
       goto stop
    :: rid == a && rst == PLACING && !IN(i) -> goto rollback
    :: !(rid == a && rst == PLACING) -> commanding++
    fi
  }
on_error:                                                        /* the operator's on-error command lifts */
  atomic {
    commanding--;
#ifndef M_ON_ERROR_WITHOUT_LOOK
    if :: LOST || LEADERLESS(i) -> goto rollback :: else fi;
#endif
    lift(i)
  }
  goto rollback;
stop:
#else
  atomic {
    if :: rid == a && rst == PLACING && list == 0 && primary == leader -> dirty[a] = 0
    :: else -> goto rollback fi
  }
  atomic {
    if :: MAY_DIE; goto dead :: true fi;
    if
#ifdef M_PLACE_INEXACT
    :: rid == a && rst == PLACING && list == 0 ->
#else
    :: !dirty[a] ->
#endif
       place(i); rst = FENCED; CHANGED
    :: else -> goto enter
    fi;
    assert(primary != i)                                         /* P5 */
  }
#endif
  atomic {                                                       /* await_stopped, the proof */
    if
    :: !runs[i] -> digest[a] = 1; read_on[a] = i; cold[i] = a
    :: runs[i] && !IN(i) -> goto rollback
    fi;
#ifndef M_NO_BOUND
    if :: behind[i] -> goto rollback :: else fi
#endif
  }
mark:
  atomic { if :: marked[i] = a :: MAY_DIE; goto dead :: MAY_DIE; goto rollback fi }
look:
  atomic {
    if :: rid == a && rst == FENCED && IN(i) && elected == i -> dirty[a] = 0; seen = made
    :: else -> goto rollback fi
  }
  atomic { if :: digest[a] && !runs[i] && marked[i] == a :: else -> goto rollback fi }
  atomic {
    if :: MAY_DIE; goto dead :: true fi;
    if
#ifdef M_SEAL_INEXACT
    :: rid == a && rst == FENCED && list == i ->
#else
    :: !dirty[a] ->
#endif
       rst = SEALED; rdigest = digest[a]; CHANGED;
#ifndef M_SNAPSHOTS_BY_TIME
       rolder = seen;
#endif
       assert(!runs[i] && digest[a] && !behind[i]);                             /* P1 */
       fence_code[a] = 0; goto gone
    :: else -> goto look
    fi
  }
rollback:
  atomic {                                                       /* _take_back */
#ifndef M_ROLL_BACK_WITHOUT_LEADER
    if :: rid == a && LOST -> fence_code[a] = 4; goto gone :: else fi;
#endif
    if :: rid == a -> erase(i, a) :: else fi;
    if :: MAY_DIE; goto dead :: true fi
  }
  atomic {
#if !defined(M_ROLL_BACK_WITHOUT_LEADER) && !defined(M_LOOK_BEFORE_EXEC_ROLL_BACK)
    if :: rid == a && LOST -> fence_code[a] = 4; goto gone :: else fi;
#endif
    end_record(a, ROLLED)
  }
refuse: atomic { fence_code[a] = 3; goto gone }
dead:   atomic { fence_code[a] = DEAD }
gone:   atomic { alive--; i = 0; leader = 0; old = 0; seen = 0 }
}

/* ================================ unfence ================================ */
proctype Unfence(byte u; bool success) {
  byte i, id, seen, at, v;
  atomic {
    id = rid; i = rin;
    if
    :: rid == 0 -> unfence_code[u] = (success -> 2 : 0); goto gone
    :: rid != 0 && (rst != SEALED || !success) -> goto look
    :: rid != 0 && rst == SEALED && success
    fi
  }
judge:
#ifdef M_EXEC_BEFORE_SNAPSHOTS
  atomic {
    if :: rid == id && rst == SEALED -> at = list; v = (IN(i) && marked[i] == id && rdigest && !runs[i] -> HELD : BROKEN)
    :: else -> goto look fi
  }
#else
  atomic { if :: rid == id && rst == SEALED -> at = list; v = (IN(i) -> HELD : BROKEN) :: else -> goto look fi }
#endif
count:
  atomic {                                                       /* wait until all are cut, at least one there */
    x = rolder; seen = 0;
    do
    :: x < made && snap_of[x] != i -> v = BROKEN; break
    :: x < made && snap_of[x] == i && cut[x] -> seen = 1; x++
    :: x < made && snap_of[x] == i && !cut[x] -> break
    :: x == made -> if :: seen == 0 -> v = BROKEN :: else fi; break
    od;
    if :: x < made && v == HELD -> x = 0; goto uncut :: else fi;
    seen = made; x = 0; goto settled
  }
uncut: skip; goto count;
settled:
#ifndef M_EXEC_BEFORE_SNAPSHOTS
  atomic { if :: marked[i] == id && rdigest && !runs[i] :: else -> v = BROKEN fi }
#endif
  atomic {
    if :: MAY_DIE; goto dead :: true fi;
    if
    :: rid == id && rst == SEALED && list == at ->
       rst = ENDING; rverdict = v; rjudged = seen; CHANGED;
       if :: v == HELD ->                                                       /* P1 */
             x = rolder;
             do :: x < seen -> assert(cut[x] && snap_cold[x] == id); x++ :: else -> break od; x = 0
          :: else
       fi
    :: else -> goto judge
    fi
  }
look:
#ifndef M_UNFENCE_WITHOUT_LEADER
  atomic { if :: rid == id && LOST -> unfence_code[u] = 4; goto gone :: else fi }  /* _led */
#endif
  atomic {
    seen = (rid == id && OURS_IN(i));
    if :: rid == id -> erase(i, id) :: else fi;
    if :: MAY_DIE; goto dead :: true fi
  }
#ifdef EDB
  atomic {                                                       /* the post-backup command lifts, too */
#if !defined(M_UNFENCE_WITHOUT_LEADER) && !defined(M_LOOK_BEFORE_EXEC_UNFENCE)
    if :: rid == id && LOST -> unfence_code[u] = 4; goto gone :: else fi;
#endif
#ifdef M_COMMAND_UNCHECKED
    if :: seen -> lift(i) :: else fi;
#else
    if :: rid == id && OURS_IN(i) -> lift(i) :: else fi;
#endif
    if :: MAY_DIE; goto dead :: true fi
  }
#endif
  atomic {
#if !defined(M_UNFENCE_WITHOUT_LEADER) && !defined(M_LOOK_BEFORE_EXEC_UNFENCE)
    if :: rid == id && LOST -> unfence_code[u] = 4; goto gone :: else fi;
#endif
    end_record(id, ROLLED)
  }
  atomic {                                                       /* _require_held */
    if
    :: !success -> unfence_code[u] = 0
#ifdef M_REPEATED_WHATEVER_CAME
    :: success && rid == id && rverdict == HELD -> unfence_code[u] = GREEN + id
    :: success && !(rid == id && rverdict == HELD) -> unfence_code[u] = 2
#else
    :: success && rid == id && rverdict == HELD && made == rjudged -> unfence_code[u] = GREEN + id
    :: success && !(rid == id && rverdict == HELD && made == rjudged) -> unfence_code[u] = 2
#endif
    fi;
    goto gone
  }
dead: atomic { unfence_code[u] = DEAD }
gone: atomic { alive--; i = 0; id = 0; seen = 0; at = 0; v = 0 }
}

/* =============================== watchdog ================================ */
#ifdef M_ENDED_BEFORE_DEADLINE
#define DUE ((LIVE) || (!LIVE && (OURS_IN(1) || OURS_IN(2))))
#else
#define DUE ((LIVE && rexpired) || (!LIVE && (OURS_IN(1) || OURS_IN(2))))
#endif
#ifdef M_WATCHDOG_WITHOUT_LEADER
#define HOLDS 0
#else
#define HOLDS LOST
#endif
/* The time of a command is over: it has ended, and the watchdog has looked since, where it may do anything. */
#define UNTIL(i) (late[i] == 1 && pending[i] == 0 && commanding == 0 && (LIVE || !IN(i)))
active proctype Watchdog() {
  byte id;
end:
  do
#ifndef CALM
  :: atomic { LIVE && !rexpired -> rexpired = 1; disturbed = 1 }
#endif
  :: atomic { DUE && !HOLDS -> id = rid }
     atomic { if :: rid == id -> erase(rin, id) :: true fi }     /* reachable or not */
     atomic {
#ifdef M_LOOK_BEFORE_EXEC_WATCHDOG
       end_record(id, BROKEN);
#else
       if :: HOLDS :: else -> end_record(id, BROKEN) fi;
#endif
       id = 0
     }
  :: atomic { UNTIL(1) -> late[1] = 2 }
  :: atomic { UNTIL(2) -> late[2] = 2 }
  od
}

/* ============================== environment ============================== */
inline starts(i) {
  runs[i] = 1; cold[i] = 0;
  if :: rin == i -> rdigest = 0 :: else fi;
  if :: read_on[1] == i -> digest[1] = 0 :: else fi;
  if :: read_on[2] == i -> digest[2] = 0 :: else fi
}
/* The operator's: PostgreSQL follows the list; who runs unfenced replays, and is promoted where nobody leads. */
proctype Instance(byte i) {
end:
  do
  :: atomic { IN(i) && runs[i] -> runs[i] = 0 }
  :: atomic { !IN(i) && !runs[i] -> starts(i) }
  :: atomic { runs[i] && leads && behind[i] -> behind[i] = 0 }
#if LOSS > 0
  :: atomic { !runs[i] && leads && !stale[i] && primary != i -> stale[i] = 1 }  /* commits are acknowledged */
  :: atomic { runs[i] && leads && stale[i] -> stale[i] = 0; blamed[i] = 0 }
  :: atomic { runs[i] && !IN(i) && !leads && primary != i ->
       assert(!(stale[i] && blamed[i]));                                        /* P4 */
       primary = i; leads = 1; stale[i] = 0; CHANGED }
#endif
  od
}
#if LOSS > 0
active proctype Loss() {
end:
  do
  :: atomic { losses > 0 && leads -> losses--; leads = 0; disturbed = 1 }
  :: atomic { !leads -> leads = 1 }                              /* its pod comes back */
#ifndef SMALL
  :: atomic { elected == primary -> elected = 3 - elected; CHANGED }
#endif
  od
}
#endif
#if REELECT > 0
active proctype Election() {
end: do :: atomic { reelections > 0 -> reelections--; disturbed = 1; elected = 3 - elected; CHANGED } od
}
#endif

#if HUMAN > 0
/* Whoever fences the instance of a live fence, or one that a command of ours may still fence, joins us. */
#define JOINS(i) (late[i] == 1 || (rin == (i) && (rst == FENCED || rst == SEALED || rst == ENDING || (LIVE && late[i]))))
#ifdef STRICT
#define WHO(i) (JOINS(i) -> OURS : PERSON)
#else
#define WHO(i) (JOINS(i) || (LIVE && late[i]) -> OURS : PERSON)
#endif
active proctype Person() {
  byte n = HUMAN;
end:
  do
  :: atomic { n > 0 && IN(1) -> n--; disturbed = 1; list = list & 2; owner[1] = 0; CHANGED }
  :: atomic { n > 0 && !IN(1) -> n--; disturbed = 1; owner[1] = WHO(1); list = list | 1; CHANGED }
#ifndef SMALL
  :: atomic { n > 0 && IN(2) -> n--; disturbed = 1; list = list & 1; owner[2] = 0; CHANGED }
  :: atomic { n > 0 && !IN(2) -> n--; disturbed = 1; owner[2] = WHO(2); list = list | 2; CHANGED }
#endif
  od
}
#endif

inline snapshot(i, a) { snap_of[made] = i; snap_for[made] = a; made++ }
inline freeze(k) { cut[k] = 1; snap_cold[k] = (runs[snap_of[k]] -> 0 : cold[snap_of[k]]) }
active proctype Storage() {     /* cuts what was asked for, in any order */
end:
  do
  :: atomic { made > 0 && !cut[0] -> freeze(0) }
#if SNAPSHOTS > 1
  :: atomic { made > 1 && !cut[1] -> freeze(1) }
#endif
#if SNAPSHOTS > 2
  :: atomic { made > 2 && !cut[2] -> freeze(2) }
#endif
#if STRAY > 0
  :: atomic { strays > 0 && made < SNAPSHOTS -> strays--; disturbed = 1;
              if :: snapshot(1, 0) :: snapshot(2, 0) fi }
#endif
  od
}

/* One run of a policy: hooks, snapshots, and its retries. Only a hook that it still waits for counts. */
active proctype Kasten() {
  byte a = 1, u, n, code;
  atomic {
    runs[1] = 1; run Instance(1);
#ifndef SMALL
    runs[2] = 1; run Instance(2);
#endif
  }
attempt:
  atomic { fence_code[a] = RUNNING; alive++; run Fence(a); n = 0 }
  atomic {
    if :: fence_code[a] != RUNNING -> code = fence_code[a]
       :: abandons > 0 && fence_code[a] == RUNNING -> abandons--; disturbed = 1; code = DEAD fi;
    if :: code == 0 :: code != 0 -> goto failed fi
  }
take:
  atomic { snapshot(elected, a) }
post:
  atomic { u++; unfence_code[u] = RUNNING; alive++; run Unfence(u, 1) }
  atomic {
    if
    :: unfence_code[u] > GREEN ->                                               /* P1 */
       code = unfence_code[u] - GREEN; x = 0;
       do :: x < made -> assert(snap_for[x] != a || (cut[x] && snap_cold[x] == code)); x++ :: else -> break od;
       x = 0; goto done
    :: unfence_code[u] < RUNNING
    :: abandons > 0 && unfence_code[u] == RUNNING -> abandons--; disturbed = 1
    fi;
    assert(disturbed);                                                          /* P6 */
    if
    :: n == 0 -> n = 1; goto post                                /* its hook again */
#if AGAIN > 0
    :: n == 0 -> n = 1; goto take                                /* its snapshots again */
#endif
    :: true
    fi
  }
failed:
  atomic {
    assert(disturbed);                                                          /* P6 */
    if
    :: a < ATTEMPTS -> a++; goto attempt
    :: true -> goto done                                         /* no hook is called any more */
    :: true -> u++; unfence_code[u] = RUNNING; alive++; run Unfence(u, 0)
    fi
  }
  atomic { unfence_code[u] != RUNNING || abandons > 0 }
done:
  atomic { over = 1; a = 0; u = 0; n = 0; code = 0 }
}

active proctype Afterwards() {                                                  /* P2 */
end:
  atomic { over && alive == 0 && !STANDS -> assert(owner[1] != OURS && owner[2] != OURS) }
}
