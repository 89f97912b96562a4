// Package client speaks the gateway protocol to a Parley (or OpenClaw) gateway:
// it connects with a shared token and, where wanted, a device identity, calls
// methods and hands out events.
//
// # Two kinds of connection
//
// A [Client], made with [Connect], stays: when its connection is lost it makes
// another one, with pauses that grow, and renews its subscriptions. A [Conn],
// made with [Dial], is one connection and ends with it, for programs that call
// something and leave, or want to do this by themselves. Both are safe for
// concurrent use, both make calls and hand out events, and so both are a
// [Connection]:
//
//	c, err := client.Connect(ctx, "ws://127.0.0.1:18789", client.Options{Token: token})
//	if err != nil { … }
//	defer c.Close()
//	list, err := client.SessionsList.Call(ctx, c, client.SessionsListParams{Limit: 10})
//
// # Calls
//
// The methods of the session plane are typed constants: [SessionsList],
// [ChatSend], … each of which knows the types of its params and its result
// ([Method]). Any other method, and any other form of a result, goes by name
// with the function [Call], or raw with the method Call of a connection. [Ask]
// sends a message and hands out the answer while it is being given.
//
// Calls may overlap; answers find their call by id. A refusal of the gateway is
// an [*Error], which errors.As finds, with a [Code] and details for programs. A
// call whose connection was lost before its answer came fails with [ErrLost]:
// the gateway may have carried it out or not. Repeating is harmless for methods
// that only read, and for those whose params have an IdempotencyKey. Contexts
// bound the waiting, not what the gateway does.
//
// # Events
//
// Events returns an iterator over everything the gateway tells from then on.
// Payloads are decoded by [Event.Decode] into [ChatEvent],
// [SessionsChangedEvent] and others. What the gateway tells by itself (chat,
// agent, presence, health, tick, shutdown) comes without asking; changes of
// sessions and their messages come after [SessionsSubscribe] and
// [SessionsMessagesSubscribe].
//
// # Order
//
//   - Events come in the order in which the gateway sent them, and all iterators
//     of a connection see the same order.
//   - An event that a call caused comes after the answer of that call (the
//     gateway's exceptions: chat.abort, sessions.abort, chat.inject,
//     device.pair.approve and device.pair.reject announce first). The iterator
//     may be read by another goroutine than the caller's, so the caller may
//     return from Call after the loop saw the event.
//   - Who sees an event can read its effect: a call made afterwards answers with
//     it.
//   - Calls that one goroutine makes one after the other are carried out in
//     that order; of overlapping ones nothing is promised.
//
// A Client adds what happens when a connection is lost:
//
//   - An event [Disconnected] comes behind the last event of the old
//     connection, [Reconnected] before the first one of the new. Between the two
//     the gateway may have told something that is told to nobody again; both
//     carry a [Gap] that says since when. What matters must be read anew, for
//     example with [ChatHistory] or [SessionsList].
//   - Subscriptions are renewed before any call gets through. So a program that
//     reads its state when it sees Reconnected misses nothing: what changes
//     after the reading is told.
//
// # What ends
//
// Every iterator ends with its context, with Close, or with the connection (of
// a Client: when the gateway does not let it in again). A loop that takes
// events too slowly is ended with [ErrSlow] rather than filling the memory; the
// connection and other loops go on. Close waits for all goroutines of the
// connection.
package client
