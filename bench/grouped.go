// The Go server that pingmon is measured against: grouped FILE PLAIN-ADDRESS TLS-ADDRESS PEM
//
// Each request and its body is an entry of a file, and on disk before its answer. Whatever waits is written with one
// write and one fdatasync. There are no checks, no index and no reading: it does the least that a durable answer needs.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"syscall"
	"time"
)

const bodyLimit = 10000

type ping struct {
	entry   []byte
	durable chan error
}

func main() {
	file, err := os.OpenFile(os.Args[1], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	pings := make(chan ping, 1024)
	go write(file, pings)
	http.HandleFunc("/", func(answer http.ResponseWriter, asked *http.Request) {
		body, err := io.ReadAll(io.LimitReader(asked.Body, bodyLimit))
		if err == nil {
			head := fmt.Sprintf("%d %s %s %s %q %d\n", time.Now().UnixMicro(), asked.Method, asked.RequestURI,
				asked.RemoteAddr, asked.UserAgent(), len(body))
			one := ping{append([]byte(head), body...), make(chan error, 1)}
			pings <- one
			err = <-one.durable
		}
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(answer, "OK")
	})
	go func() { log.Fatal(http.ListenAndServeTLS(os.Args[3], os.Args[4], os.Args[4], nil)) }()
	log.Fatal(http.ListenAndServe(os.Args[2], nil))
}

func write(file *os.File, pings chan ping) {
	for first := range pings {
		group, entries := []ping{first}, first.entry
		for len(pings) > 0 {
			next := <-pings
			group, entries = append(group, next), append(entries, next.entry...)
		}
		_, err := file.Write(entries)
		if err == nil {
			err = syscall.Fdatasync(int(file.Fd()))
		}
		for _, each := range group {
			each.durable <- err
		}
	}
}
