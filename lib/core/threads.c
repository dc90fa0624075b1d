/* threads.c: one team of pthreads for all calls, and how many CPUs it may use.
 *
 * A job is announced through one word, the gate: [generation | open | workers inside]. A worker that sees an open gate of a
 * new generation enters by counting itself in, claims tasks until none is left, and counts itself out. The caller works too,
 * then closes the gate and waits for those inside only: a worker that a busy machine did not schedule in time never entered
 * and is not waited for. */
#include "lib/core/threads.h"

#include "lib/core/affinity.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum { MAX_THREADS = 1024, SPIN_MICROSECONDS = 50, STACK_BYTES = 2 << 20 };
/* A worker that has a task and does not finish it has been put aside for another process: it is back within a time slice. A
 * caller that sleeps meanwhile comes back late, or wakes up where others run. */
enum { STALL_MICROSECONDS = 5000 };
/* Beside a busy process, spinning uses up a worker's share of its CPU, which is then missing when there is work. Crowded: for a
 * while after a caller has waited so long for a worker. */
enum { CROWDED_SPIN_MICROSECONDS = 5, CROWDED_WAIT_MICROSECONDS = 1000, CROWDED_MICROSECONDS = 200000 };
/* Time between two moves of the workers, at least. */
enum { HOME_MICROSECONDS = 2000 };

/* What a call runs. */
typedef struct job {
	attend_task task;
	void *arg;
	bool apart;
	void (*begin)(void *arg, void *own); /* NULL: `task` is run, else own_task */
	attend_own_task own_task;
} job;

static const uint64_t INSIDE = 0xffffu, OPEN = 0x10000u, GENERATION = 0x20000u;

static struct team {
	_Atomic uint64_t gate;
	char pad0[56]; /* words that many cores write lie on lines of their own */
	/* The job: written while the gate is closed and nobody is inside. */
	job job;
	size_t shares;

	atomic_bool held;  /* a call is using the team */
	atomic_int wanted; /* attend_set_threads; 0: the default */
	atomic_bool quit;
	atomic_int sleeping;       /* workers waiting on `wake` */
	atomic_bool caller_sleeps; /* the caller waits on `done` */
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	int started; /* workers besides the caller; guarded by `held` */
	int refused; /* the team size at which the system refused threads, so that it is not asked again */
	bool spin;   /* the CPUs suffice for all threads */
	bool full;   /* there is a thread for every CPU */
	/* Where the caller runs, if the team is full: workers keep off that CPU (else -1). Beside a busy process one would be moved
	 * there when the caller sleeps, and stay. */
	atomic_int home;
	uint64_t moved_ns; /* when that changed */
	_Atomic uint64_t crowded_until_ns;
	uint64_t impatient_until_ns; /* a stall was too long to wait for: several processes a CPU */
	pthread_t threads[MAX_THREADS];
} team = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER,
          .home = -1};

/* Each thread's share of a job is a range of neighbouring tasks, the same share of every job: what it wrote in one operation is
 * still in its core's cache when the next one reads it, where fetching it from another core may take longer than the
 * arithmetic. Whoever is done takes from the others' shares. */
static struct share {
	_Alignas(64) _Atomic size_t next;
	size_t begin, end;
} shares[MAX_THREADS];

static _Thread_local bool inside_task; /* this thread runs a task: nested calls are serial */

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void share_out(size_t tasks, size_t count)
{
	for (size_t w = 0, begin = 0; w < count; w++) {
		atomic_store_explicit(&shares[w].next, begin, memory_order_relaxed);
		shares[w].begin = begin;
		begin += tasks / count + (w < tasks % count ? 1 : 0);
		shares[w].end = begin;
	}
}

/* Wait for a share whose thread is nearly through with it, as long as that gets on; whether help is needed. A task is taken
 * from `patience` nanoseconds without one begun. */
static bool needs_help(struct share *share, uint64_t patience)
{
	size_t seen = atomic_load_explicit(&share->next, memory_order_relaxed);
	uint64_t since = now_ns();
	while (seen < share->end && (share->end - seen) * 3 <= share->end - share->begin) {
		for (int i = 0; i < 32; i++) relax();
		const size_t next = atomic_load_explicit(&share->next, memory_order_relaxed);
		const uint64_t now = now_ns();
		if (next != seen) since = now;
		else if (now - since > patience) return true;
		seen = next;
	}
	return seen < share->end;
}

/* The tasks that this worker gets to, with its own memory if the job wants that. */
static inline __attribute__((always_inline)) void run_shares(const job *job, size_t count, unsigned worker, void *own)
{
	inside_task = true;
	const uint64_t start = job->apart ? now_ns() : 0;
	uint64_t patience = 0;
	bool begun = false;
	for (size_t i = 0, w = worker; i < count; i++, w = w + 1 < count ? w + 1 : 0) {
		struct share *share = &shares[w];
		size_t done = 0;
		if (i > 0 && job->apart && !needs_help(share, patience)) continue;
		/* Looked at first: claiming from an empty share would only take its line away from its thread. */
		while (atomic_load_explicit(&share->next, memory_order_relaxed) < share->end) {
			const size_t index = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
			if (index >= share->end) break;
			if (own && !begun) job->begin(job->arg, own);
			begun = true;
			if (own) job->own_task(job->arg, index, own);
			else job->task(job->arg, index, worker);
			done++;
		}
		if (i == 0 && done && job->apart) patience = 2 * (now_ns() - start) / done;
	}
	inside_task = false;
}

static __attribute__((noinline)) void run_shares_with_own(const job *job, size_t count, unsigned worker)
{
	_Alignas(64) unsigned char own[ATTEND_OWN_BYTES];
	run_shares(job, count, worker, own);
}

static void run_tasks(size_t count, unsigned worker)
{
	const job job = team.job;
	if (job.begin) run_shares_with_own(&job, count, worker);
	else run_shares(&job, count, worker, NULL);
}

static bool news(uint64_t gate, uint64_t seen)
{
	return (gate & OPEN) != 0 && gate / GENERATION != seen;
}

/* Wait for an open gate of a generation other than `seen`; false: quit. */
static bool await_job(uint64_t seen)
{
	if (team.spin) {
		const uint64_t start = now_ns();
		const bool crowded = start < atomic_load_explicit(&team.crowded_until_ns, memory_order_relaxed);
		const uint64_t end = start + (crowded ? CROWDED_SPIN_MICROSECONDS : SPIN_MICROSECONDS) * 1000u;
		do {
			for (int i = 0; i < 32; i++) {
				if (news(atomic_load_explicit(&team.gate, memory_order_relaxed), seen)) return true;
				relax();
			}
			if (atomic_load_explicit(&team.quit, memory_order_relaxed)) return false;
		} while (now_ns() < end);
	}
	pthread_mutex_lock(&team.lock);
	/* The caller opens the gate, then looks at `sleeping`; here the order is the other one: one of the two sees the other. */
	atomic_fetch_add(&team.sleeping, 1);
	while (!news(atomic_load(&team.gate), seen) && !atomic_load(&team.quit)) pthread_cond_wait(&team.wake, &team.lock);
	atomic_fetch_sub(&team.sleeping, 1);
	pthread_mutex_unlock(&team.lock);
	return !atomic_load(&team.quit);
}

static void *worker_main(void *arg)
{
	const unsigned worker = (unsigned)(uintptr_t)arg;
	uint64_t seen = 0;
	int followed = -1, kept_off = -1;
	for (;;) {
		const int home = atomic_load_explicit(&team.home, memory_order_relaxed);
		if (home != followed) {
			kept_off = attend_affinity_change(kept_off, home) ? home : -1;
			followed = home;
		}
		if (!await_job(seen)) return NULL;
		uint64_t gate = atomic_load(&team.gate);
		bool entered = false;
		while (news(gate, seen) && !entered) entered = atomic_compare_exchange_weak(&team.gate, &gate, gate + 1);
		if (!entered) continue; /* too late for that one */
		seen = gate / GENERATION;
		run_tasks(team.shares, worker);
		const uint64_t left = atomic_fetch_sub(&team.gate, 1) - 1;
		if ((left & (OPEN | INSIDE)) == 0 && atomic_load(&team.caller_sleeps)) {
			pthread_mutex_lock(&team.lock);
			pthread_cond_signal(&team.done);
			pthread_mutex_unlock(&team.lock);
		}
	}
}

/* Close the gate, then wait until the last worker is out. */
static void await_workers(void)
{
	if ((atomic_fetch_and(&team.gate, ~OPEN) & INSIDE) == 0) return;
	const uint64_t start = now_ns(), crowded = start + CROWDED_WAIT_MICROSECONDS * 1000u;
	const bool patient = team.full && start >= team.impatient_until_ns;
	const uint64_t end = start + (patient ? STALL_MICROSECONDS : team.spin ? SPIN_MICROSECONDS : 0) * 1000u;
	uint64_t now;
	do {
		for (int i = 0; i < 32; i++) {
			if ((atomic_load(&team.gate) & INSIDE) == 0) return;
			relax();
		}
		now = now_ns();
		if (now > crowded) atomic_store(&team.crowded_until_ns, now + CROWDED_MICROSECONDS * 1000u);
	} while (now < end);
	if (patient) team.impatient_until_ns = now + CROWDED_MICROSECONDS * 1000u;
	pthread_mutex_lock(&team.lock);
	atomic_store(&team.caller_sleeps, true);
	while ((atomic_load(&team.gate) & INSIDE) != 0) pthread_cond_wait(&team.done, &team.lock);
	atomic_store(&team.caller_sleeps, false);
	pthread_mutex_unlock(&team.lock);
}

static void stop_workers(void)
{
	pthread_mutex_lock(&team.lock);
	atomic_store(&team.quit, true);
	pthread_cond_broadcast(&team.wake);
	pthread_mutex_unlock(&team.lock);
	for (int i = 0; i < team.started; i++) pthread_join(team.threads[i], NULL);
	team.started = 0;
	atomic_store(&team.quit, false);
}

/* Bring the team to `size` threads, the caller being one of them. The program's signals are not for workers. */
static void start_workers(int size)
{
	if (team.started) stop_workers();
	team.spin = size <= attend_available_cpus();
	team.full = team.spin && size == attend_affinity_count();
	atomic_store(&team.home, team.full ? attend_affinity_current() : -1);
	pthread_attr_t attributes;
	if (pthread_attr_init(&attributes) != 0) {
		team.refused = size;
		return;
	}
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigset_t all, old;
	sigfillset(&all);
	static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}; /* the thread's own faults are */
	for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++) sigdelset(&all, synchronous[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (team.started < size - 1) {
		void *const id = (void *)(uintptr_t)(team.started + 1);
		if (pthread_create(&team.threads[team.started], &attributes, worker_main, id) != 0) {
			team.refused = size;
			break;
		}
		team.started++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
}

/* Only the forking thread lives on in a child: it gets a new team at its next call. */
static void after_fork(void)
{
	team.started = 0;
	team.refused = 0;
	atomic_store(&team.gate, 0);
	atomic_store(&team.quit, false);
	atomic_store(&team.held, false);
	atomic_store(&team.sleeping, 0);
	atomic_store(&team.caller_sleeps, false);
	pthread_mutex_init(&team.lock, NULL);
	pthread_cond_init(&team.wake, NULL);
	pthread_cond_init(&team.done, NULL);
}

__attribute__((constructor)) static void on_load(void)
{
	pthread_atfork(NULL, NULL, after_fork);
}

/* A call that is still running at exit (of another thread) keeps its team; the process ends all the same. */
__attribute__((destructor)) static void on_unload(void)
{
	if (inside_task || atomic_exchange(&team.held, true)) return;
	if (team.started) stop_workers();
	atomic_store(&team.held, false);
}

static __attribute__((noinline)) void run_serially_with_own(size_t tasks, const job *job)
{
	_Alignas(64) unsigned char own[ATTEND_OWN_BYTES];
	if (tasks) job->begin(job->arg, own);
	for (size_t i = 0; i < tasks; i++) job->own_task(job->arg, i, own);
}

/* A single task is a plain call: what is nested in it may use the team. */
static void run_serially(size_t tasks, const job *job)
{
	const bool before = inside_task;
	if (tasks > 1) inside_task = true;
	if (job->begin) run_serially_with_own(tasks, job);
	else
		for (size_t i = 0; i < tasks; i++) job->task(job->arg, i, 0);
	inside_task = before;
}

/* The system has moved the caller, or another thread calls: not more often than that is worth a system call of each worker. */
static void follow_caller(void)
{
	if (!team.full) return;
	const int cpu = attend_affinity_current();
	if (cpu == atomic_load_explicit(&team.home, memory_order_relaxed)) return;
	const uint64_t now = now_ns();
	if (now - team.moved_ns < HOME_MICROSECONDS * 1000u) return;
	team.moved_ns = now;
	atomic_store_explicit(&team.home, cpu, memory_order_relaxed);
}

static void run_in_team(size_t tasks, const job *job)
{
	const int size = attend_threads();
	if (tasks <= 1 || size <= 1 || inside_task || atomic_exchange(&team.held, true)) {
		run_serially(tasks, job);
		return;
	}
	if (team.started != size - 1 && team.refused != size) start_workers(size);
	follow_caller();
	team.job = *job;
	team.shares = (size_t)team.started + 1;
	share_out(tasks, team.shares);
	atomic_store(&team.gate, (atomic_load(&team.gate) / GENERATION + 1) * GENERATION + OPEN);
	if (atomic_load(&team.sleeping) > 0) {
		pthread_mutex_lock(&team.lock);
		if (tasks > (size_t)team.started) pthread_cond_broadcast(&team.wake);
		else
			for (size_t i = 1; i < tasks; i++) pthread_cond_signal(&team.wake);
		pthread_mutex_unlock(&team.lock);
	}
	run_tasks(team.shares, 0);
	await_workers();
	atomic_store(&team.held, false);
}

void attend_parallel(size_t tasks, attend_task task, void *arg)
{
	run_in_team(tasks, &(job){.task = task, .arg = arg});
}

void attend_parallel_apart(size_t tasks, attend_task task, void *arg)
{
	run_in_team(tasks, &(job){.task = task, .arg = arg, .apart = true});
}

void attend_parallel_own(size_t tasks, void (*begin)(void *arg, void *own), attend_own_task task, void *arg)
{
	run_in_team(tasks, &(job){.begin = begin, .own_task = task, .arg = arg, .apart = true});
}

attend_status attend_set_threads(int n)
{
	if (n < 0 || n > MAX_THREADS)
		return attend_fail(ATTEND_ERR_ARG, "threads: expected 0 to %d, found %d", MAX_THREADS, n);
	atomic_store(&team.wanted, n);
	return ATTEND_OK;
}

int attend_threads(void)
{
	static atomic_int standard;
	const int wanted = atomic_load_explicit(&team.wanted, memory_order_relaxed);
	if (wanted) return wanted;
	int cpus = atomic_load_explicit(&standard, memory_order_relaxed);
	if (!cpus) {
		cpus = attend_available_cpus();
		if (cpus > MAX_THREADS) cpus = MAX_THREADS;
		atomic_store_explicit(&standard, cpus, memory_order_relaxed);
	}
	return cpus;
}

void attend_pause(unsigned turn)
{
	enum { PATIENCE = 1 << 11 }; /* some tens of microseconds */
	if (turn < PATIENCE) relax();
	else sched_yield();
}

bool attend_in_parallel(void)
{
	return inside_task;
}
