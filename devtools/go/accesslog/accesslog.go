// Copyright (c) 2026, the drayage.registry contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package accesslog serves a registry and writes one line a request, in the combined log format.
package accesslog

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"
)

var mutex sync.Mutex

type writer struct {
	http.ResponseWriter
	request *http.Request
	logged  bool
}

// WriteHeader writes the line before the client can see the response: whoever has the response finds the line.
func (w *writer) WriteHeader(status int) {
	if !w.logged {
		w.logged = true
		r := w.request
		mutex.Lock()
		fmt.Printf("%s - - [%s] \"%s %s %s\" %d 0 %q %q\n", "127.0.0.1", time.Now().Format(time.RFC3339),
			r.Method, r.URL.RequestURI(), r.Proto, status, r.Referer(), r.UserAgent())
		mutex.Unlock()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(data []byte) (int, error) {
	if !w.logged {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(data)
}

// Serve serves the handler at the address that is the first argument of the program.
func Serve(handler http.Handler) {
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		logged := &writer{ResponseWriter: w, request: r}
		handler.ServeHTTP(logged, r)
		if !logged.logged {
			logged.WriteHeader(http.StatusOK)
		}
	})))
}
