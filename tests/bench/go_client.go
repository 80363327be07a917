// The official Go SDK's long connection, its events printed as JSON lines: ./go_client http://127.0.0.1:8100
// They are raw: the SDK's typed handler refuses `comments` as a list.
//
// To build it, in a folder with this file alone:
// go mod init bench && go get github.com/larksuite/oapi-sdk-go/v3 && go build -o go_client .
package main

import (
	"context"
	"os"

	larkcore "github.com/larksuite/oapi-sdk-go/v3/core"
	larkevent "github.com/larksuite/oapi-sdk-go/v3/event"
	"github.com/larksuite/oapi-sdk-go/v3/event/dispatcher"
	larkws "github.com/larksuite/oapi-sdk-go/v3/ws"
)

func main() {
	printed := func(_ context.Context, event *larkevent.EventReq) error {
		_, err := os.Stdout.Write(append(event.Body, '\n'))
		return err
	}
	handler := dispatcher.NewEventDispatcher("", "").OnCustomizedEvent("helpdesk.ticket_message.created_v1", printed)
	client := larkws.NewClient("cli_a5ca1ab1e0ddba11", "demo-secret",
		larkws.WithDomain(os.Args[1]),
		larkws.WithLogLevel(larkcore.LogLevelError),
		larkws.WithEventHandler(handler))
	if err := client.Start(context.Background()); err != nil {
		panic(err)
	}
}
