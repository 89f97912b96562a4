// Package gateway is the face of Parley: it accepts WebSocket connections,
// lets clients in, dispatches their requests through one handler table and
// turns what happens into events.
//
// It owns the sockets and the handler table and wires the parts behind them:
// the session stores, the transcripts, the run engine, the hub. Calls of
// one connection are handled in the order of arrival by the goroutine that reads
// them, those that wait beside each other, a bounded number of them. An answer is queued before the events
// that its call caused (exceptions: doc/architecture.md, Order). A method's
// rules live below this package; a handler normalises, acts and builds the
// result.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/metrics"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/tracing"
	"github.com/parleyd/parley/internal/transcript"
	"github.com/parleyd/parley/internal/upkeep"
	"github.com/parleyd/parley/internal/webui"
)

// runsTimeout is how long the end of all runs is awaited when stopping.
const runsTimeout = 8 * time.Second

// idleTimeout is how long an HTTP connection is kept between two requests.
const idleTimeout = time.Minute

// Options are what a Gateway is made of.
type Options struct {
	Config  *config.Config
	Log     *slog.Logger
	Version string // told to clients as server.version
	// MaxBuffered is how many bytes may wait for one connection before it
	// counts as slow; 0 is the protocol's usual limit. Clients are told.
	MaxBuffered int
	// Disk is the way to the stores, transcripts, journals, pictures and device
	// files; nil is the plain system.
	Disk *disk.FS
	// Aside leaves the runs that an earlier process did not end as they are: for
	// who looks after a state directory while no daemon runs.
	Aside bool
	// Reloaded is told of each configuration that the gateway goes on with. It is
	// optional and must not call the gateway.
	Reloaded func(*config.Config)
	// Tracer traces calls, runs and commits; nil does not. Close is the caller's.
	Tracer *tracing.Tracer
	// Models makes the requests to model servers; nil is a client of the
	// gateway's own.
	Models *http.Client
}

// Gateway serves the gateway protocol on a state directory. Make one with New,
// run it once with Serve, and Close it.
type Gateway struct {
	// Static after New.
	live        *config.Live // what is configured now: see cfg
	log         *slog.Logger
	version     string
	maxBuffered int
	disk        *disk.FS
	aside       bool
	started     time.Time
	validator   *protocol.Validator
	methods     map[string]*method
	page        *webui.Page
	rows        rowCache
	lists       listCache
	hub         *hub.Hub
	stores      *sessions.Stores
	transcripts *transcript.Library
	records     *upkeep.Records
	engine      *runs.Engine
	presence    *presence
	health      *health
	gate        *gate // who may come in: internal/auth, see handshake.go
	metrics     *metrics.Metrics
	meters      map[string]*metrics.Method // of the handler table
	unmetered   *metrics.Method            // of what is no method
	strangers   strangers
	onlookers   onlookers // at the tools of runs, see run_tools.go
	approvals   approvals
	edge        edge
	reloaded    func(*config.Config) // see Options
	tracer      *tracing.Tracer      // nil when nobody wants traces

	editing   sync.Mutex // held while the configuration file is edited
	reloading sync.Mutex // held while the configuration is read again
	examining sync.Mutex // held while the state directory is examined

	draining atomic.Bool // the end has begun
	ready    readiness
	models   modelStates

	mu       sync.Mutex // guards conns and stopping
	conns    map[string]*conn
	stopping bool
	serving  sync.WaitGroup // connections under way
}

// New builds a gateway on the state directory that the configuration names. It
// creates no file; the first write does.
func New(o Options) (*Gateway, error) {
	g := newGateway(o)
	var err error
	if g.validator, err = protocol.NewValidator(); err != nil {
		return nil, fmt.Errorf("compile the schemas: %w", err)
	}
	if g.methods, err = index(methods, g.validator); err != nil {
		return nil, err
	}
	if g.page, err = webui.New(); err != nil {
		return nil, err
	}
	if err := g.open(o.Models); err != nil {
		return nil, err
	}
	return g, nil
}

// newGateway is a gateway without handlers that has opened nothing.
func newGateway(o Options) *Gateway {
	g := &Gateway{
		live:     config.NewLive(o.Config),
		log:      o.Log,
		version:  o.Version,
		disk:     o.Disk,
		aside:    o.Aside,
		started:  time.Now(),
		reloaded: o.Reloaded,
		tracer:   o.Tracer,
		hub:      hub.New(),
		conns:    map[string]*conn{},
		presence: newPresence(o.Version),

		strangers:   strangers{limit: o.Config.Parley.Strangers},
		maxBuffered: cmp.Or(o.MaxBuffered, protocol.MaxBuffered),
	}
	g.health = newHealth(g)
	g.measure()
	return g
}

// open opens what lies in the state directory and settles what a crash left
// there.
func (g *Gateway) open(models *http.Client) (err error) {
	g.transcripts = transcript.New(transcript.Options{StateDir: g.cfg().StateDir, Home: g.cfg().Home, Log: g.log, Disk: g.disk})
	g.records = upkeep.NewRecords(g.disk)
	g.stores, err = sessions.OpenStores(sessions.Options{
		Config: g.cfg(), Log: g.log, Removed: g.removed, Swept: func(st *sessions.Store) { g.keeper().Swept(st) }, Disk: g.disk,
		Protected: func(key string) bool { return g.engine != nil && g.engine.Active(key) },
		Committed: g.metrics.Committed, Checkpointed: g.metrics.Checkpointed,
	})
	if err != nil {
		return fmt.Errorf("open the session stores: %w", err)
	}
	var dirs []string
	for _, st := range g.stores.All() {
		dirs = append(dirs, st.Dir())
	}
	g.transcripts.Tidy(dirs...)
	if err := g.openGate(); err != nil {
		return errors.Join(err, g.stores.Close())
	}
	if err := g.openEngine(models); err != nil {
		return errors.Join(err, g.stores.Close())
	}
	return nil
}

// Serve accepts connections on ls until ctx ends, then announces the shutdown,
// gives runs a while to end (parley.drain), ends the others, closes all connections with 1012 and returns nil. An error is
// the failure of a listener.
func (g *Gateway) Serve(ctx context.Context, ls ...net.Listener) error {
	srv := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: handshakeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       withDoor,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, len(ls))
	var wg sync.WaitGroup
	for _, l := range ls {
		wg.Go(func() {
			if err := srv.Serve(doorListener{l, g}); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("accept connections on %s: %w", l.Addr(), err)
			}
		})
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { g.tick(background) })
	wg.Go(func() { g.health.run(background) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.drain()
	g.shutdown(srv)
	stop()
	wg.Wait()
	return err
}

// drain announces the end and waits for runs that go on, at most as long as
// parley.drain says. Meanwhile clients that are there may read and hear the
// answers, the probes say that we are not ready, and nobody else is let in.
func (g *Gateway) drain() {
	g.draining.Store(true)
	g.hub.Publish(hub.Event{
		Name: "shutdown", To: hub.All(), Policy: hub.CloseIfSlow,
		Payload: rawjson.Value(`{"reason":"gateway stopping","restartExpectedMs":null}`),
	})
	limit := g.cfg().Parley.Drain
	if active, waiting := g.engine.Counts(); active > 0 {
		g.log.Info("waiting for runs to end", "active", active, "waiting", waiting, "limit", limit)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	g.engine.Drain(ctx)
}

// shutdown in order: stop accepting, cancel runs and wait, close connections
// (design: Lifecycle).
func (g *Gateway) shutdown(srv *http.Server) {
	g.mu.Lock()
	g.stopping = true
	g.mu.Unlock()
	stopped := make(chan struct{})
	go func() { // Shutdown waits for plain HTTP requests; hijacked connections are ours
		defer close(stopped)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), runsTimeout)
	defer cancel()
	if err := g.engine.Close(ctx); err != nil {
		g.log.Error("runs did not end in time", "err", err)
	}
	g.mu.Lock()
	for _, c := range g.conns {
		if c.connected.Load() {
			c.out.close(websocket.StatusServiceRestart, "service restart")
		} else {
			c.out.drop()
		}
	}
	g.mu.Unlock()
	g.serving.Wait()
	<-stopped
}

// Close ends what is left of the runs and releases the stores. Call it after
// Serve has returned, or instead of Serve.
func (g *Gateway) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), runsTimeout)
	defer cancel()
	err := g.engine.Close(ctx)
	g.gate.close()
	return errors.Join(err, g.stores.Close())
}

// tick tells all clients every 30 s that the connection lives.
func (g *Gateway) tick(ctx context.Context) {
	t := time.NewTicker(protocol.TickInterval)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			g.hub.Publish(hub.Event{Name: "tick", To: hub.All(), Policy: hub.DropIfSlow,
				Payload: rawjson.MustMarshal(tickPayload{now.UnixMilli()})})
		case <-ctx.Done():
			return
		}
	}
}

type tickPayload struct {
	TS int64 `json:"ts"`
}

// enter counts a new connection; it reports false when the gateway is stopping.
func (g *Gateway) enter(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return false
	}
	g.conns[c.id] = c
	g.serving.Add(1)
	return true
}

// join makes a connection that passed the handshake take part in broadcasts;
// it reports false when the gateway is stopping.
func (g *Gateway) join(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return false
	}
	if g.outdated(c) {
		c.out.close(websocket.StatusPolicyViolation, secretChanged) // once it has heard that it is let in
	}
	c.connected.Store(true)
	g.hub.Add(c.id, c)
	return true
}

// leave forgets a connection that has ended.
func (g *Gateway) leave(c *conn) {
	g.hub.Remove(c.id)
	g.mu.Lock()
	delete(g.conns, c.id)
	g.countEnd(c)
	g.mu.Unlock()
	if c.connected.Load() {
		g.presenceLeft(c)
	}
	g.tellEnd(c)
	g.serving.Done()
}

// closeDevice ends the connections of a device, in one role or (role "") all.
func (g *Gateway) closeDevice(deviceID, role, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		if c.connected.Load() && c.deviceID == deviceID && (role == "" || c.role == role) {
			c.out.close(websocket.StatusPolicyViolation, reason)
		}
	}
}

// cfg is the configuration that holds now. A call that must not see two of them
// asks once.
func (g *Gateway) cfg() *config.Config { return g.live.Now() }

// keys is the key grammar under this configuration.
func (g *Gateway) keys() sessions.Keys { return g.stores.Keys() }

// features is what hello-ok advertises.
func (g *Gateway) features() protocol.Features {
	f := protocol.Features{Methods: make([]string, 0, len(methods)), Events: events}
	for _, m := range methods {
		f.Methods = append(f.Methods, m.name)
	}
	return f
}

// policy is what hello-ok says about limits.
func (g *Gateway) policy() protocol.Policy {
	p := protocol.DefaultPolicy()
	p.MaxBufferedBytes = int64(g.maxBuffered)
	return p
}

// snapshot is the state that hello-ok shows to c. Presence, paths and the
// sessions in health are for those who may read.
func (g *Gateway) snapshot(c *conn) protocol.Snapshot {
	scope := "per-sender"
	if g.keys().Global {
		scope = "global"
	}
	s := protocol.Snapshot{
		Presence:     []protocol.PresenceEntry{},
		Health:       g.health.cached(c.mayRead()),
		StateVersion: g.stateVersion(),
		UptimeMs:     time.Since(g.started).Milliseconds(),
		SessionDefaults: &protocol.SessionDefaults{
			DefaultAgentID: g.cfg().DefaultAgent(), MainKey: "main", MainSessionKey: g.keys().Main(), Scope: scope,
		},
		AuthMode: g.gate.mode(),
	}
	if c.mayRead() {
		s.Presence = g.presence.list()
		s.ConfigPath, s.StateDir = g.cfg().Path, g.cfg().StateDir
	}
	return s
}

func (g *Gateway) stateVersion() protocol.StateVersion {
	return protocol.StateVersion{Presence: g.presence.current(), Health: g.health.current()}
}

// mayRead reports whether the connection may see sessions and who is there.
func (c *conn) mayRead() bool {
	return c.role == protocol.RoleOperator && c.scopes.Allows(protocol.ScopeRead)
}
