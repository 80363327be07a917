// The official Go SDK's long connection, its events printed as JSON lines: ./go_client http://127.0.0.1:8100
//
// To build it, in a folder with this file alone:
// go mod init bench && go get github.com/larksuite/oapi-sdk-go/v3 && go build -o go_client .
package main

import (
	"context"
	"encoding/json"
	"os"

	larkcore "github.com/larksuite/oapi-sdk-go/v3/core"
	"github.com/larksuite/oapi-sdk-go/v3/event/dispatcher"
	larkhelpdesk "github.com/larksuite/oapi-sdk-go/v3/service/helpdesk/v1"
	larkws "github.com/larksuite/oapi-sdk-go/v3/ws"
)

func main() {
	printed := func(_ context.Context, event *larkhelpdesk.P2TicketMessageCreatedV1) error {
		line, err := json.Marshal(event.Event)
		if err == nil {
			_, err = os.Stdout.Write(append(line, '\n'))
		}
		return err
	}
	client := larkws.NewClient("cli_a5ca1ab1e0ddba11", "demo-secret",
		larkws.WithDomain(os.Args[1]),
		larkws.WithLogLevel(larkcore.LogLevelError),
		larkws.WithEventHandler(dispatcher.NewEventDispatcher("", "").OnP2TicketMessageCreatedV1(printed)))
	if err := client.Start(context.Background()); err != nil {
		panic(err)
	}
}
