package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
)

// exampleGateway is a gateway on the built-in echo model, as `parley serve`
// runs it.
func exampleGateway() (address, token string, stop func()) {
	dir, err := os.MkdirTemp("", "parley-example-")
	if err != nil {
		panic(err)
	}
	cfg, _, err := config.Parse(`{gateway: {auth: {token: "sesame"}}}`, config.Options{StateDir: dir, HomeDir: dir, Env: func(string) string { return "" }})
	if err != nil {
		panic(err)
	}
	g, err := gateway.New(gateway.Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(ctx, l) })
	return "ws://" + l.Addr().String(), "sesame", func() {
		cancel()
		serving.Wait()
		_ = g.Close()
		_ = os.RemoveAll(dir)
	}
}

// A program that asks a question and prints the answer as it comes.
func ExampleAsk() {
	address, token, stop := exampleGateway()
	defer stop()
	ctx := context.Background()

	c, err := client.Connect(ctx, address, client.Options{Token: token})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	for piece, err := range client.Ask(ctx, c, client.ChatSendParams{SessionKey: "main", Message: "Hello"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(piece.Added)
	}
	// Output: echo: Hello
}

// Methods are typed constants: the compiler knows their params and results.
func ExampleMethod_Call() {
	address, token, stop := exampleGateway()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, address, client.Options{Token: token})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	made, err := client.SessionsCreate.Call(ctx, c, client.SessionsCreateParams{Key: "holiday", Label: "Holiday plans"})
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := client.SessionsList.Call(ctx, c, client.SessionsListParams{Search: "holiday"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range list.Sessions {
		fmt.Println(s.Key == made.Key, s.Title())
	}
	// Output: true Holiday plans
}

// Any method can be called by its name, into any type.
func ExampleCall() {
	address, token, stop := exampleGateway()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, address, client.Options{Token: token})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	type agents struct {
		DefaultID string `json:"defaultId"`
	}
	got, err := client.Call[agents](ctx, c, "agents.list", nil)
	fmt.Println(got.DefaultID, err)
	// Output: main <nil>
}

// Refusals have a code for programs and a text for people.
func ExampleError() {
	address, token, stop := exampleGateway()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, address, client.Options{Token: token})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	_, err = client.SessionsSend.Call(ctx, c, client.SessionsSendParams{Key: "nowhere", Message: "Hello"})
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Code, "-", refused.Message)
	}
	// Output: INVALID_REQUEST - session not found: nowhere
}

// A program that follows what happens, over restarts of the gateway.
func ExampleClient_Events() {
	address, token, stop := exampleGateway()
	defer stop()
	ctx := context.Background()
	c, err := client.Connect(ctx, address, client.Options{Token: token})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	events := c.Events(ctx) // before the calls whose events are wanted
	if _, err := client.SessionsSubscribe.Call(ctx, c, client.None{}); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.SessionsCreate.Call(ctx, c, client.SessionsCreateParams{Key: "new"}); err != nil {
		fmt.Println(err)
		return
	}
	for e, err := range events {
		switch {
		case err != nil:
			fmt.Println("the gateway does not let us in any more:", err)
		case e.Name == client.Reconnected:
			fmt.Println("back; read anew what happened since", e.Gap.Since)
		case e.Name == client.EventSessionsChanged:
			var changed client.SessionsChangedEvent
			if err := e.Decode(&changed); err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println(changed.SessionKey, changed.Reason)
			return
		}
	}
	// Output: agent:main:new create
}

// A device proves itself with a key of its own, which is made once.
func ExampleLoadIdentity() {
	dir, err := os.MkdirTemp("", "parley-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	device, err := client.LoadIdentity(dir + "/device.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := client.LoadIdentity(dir + "/device.json")
	fmt.Println(device.DeviceID() == again.DeviceID(), err)
	// Then: client.Dial(ctx, address, client.Options{Device: device, …})

	// Output: true <nil>
}
