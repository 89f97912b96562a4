package gateway

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// pair is a doorConn over TCP and its other end.
func pair(t *testing.T) (*doorConn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return newDoorConn(near), far
}

// What the socket does not take at once goes before anything that is written
// later, and all of it.
func TestTryLeavesTheRestToTheNextWrite(t *testing.T) {
	d, far := pair(t)
	if !d.canTryNow() {
		t.Skip("writing cannot be tried here") // other systems than CI's
	}
	if all, err := d.try([]byte("first")); !all || err != nil {
		t.Fatalf("a few bytes: all %v, %v", all, err)
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // more than any socket buffer holds
	if all, err := d.try(large); all || err != nil {
		t.Fatalf("32 MiB: all %v, %v", all, err)
	}
	if all, err := d.try([]byte("second")); all || err != nil {
		t.Fatalf("behind it: all %v, %v", all, err)
	}
	wrote := make(chan error)
	go func() {
		_, err := d.Write([]byte("third"))
		wrote <- err
		d.Close()
	}()
	got := make([]byte, len("first")+len(large)+len("secondthird"))
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	want := append(append([]byte("first"), large...), "secondthird"...)
	if !bytes.Equal(got, want) {
		t.Error("the bytes came in another order")
	}
}

func TestTryTellsOfAConnectionThatIsGone(t *testing.T) {
	d, _ := pair(t)
	d.Close()
	if all, err := d.try([]byte("x")); all || err == nil {
		t.Errorf("all %v, error %v; want an error", all, err)
	}
}
