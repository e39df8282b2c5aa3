// The guide's handlers with net/http.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/supertokens/supertokens-golang/recipe/session"
	"github.com/supertokens/supertokens-golang/recipe/usermetadata"
	"github.com/supertokens/supertokens-golang/supertokens"
)

type object = map[string]interface{}

func main() {
	port := env("PORT", "3000")
	err := supertokens.Init(supertokens.TypeInput{
		Supertokens: &supertokens.ConnectionInfo{ConnectionURI: env("CONNECTION_URI", "http://localhost:3567")},
		AppInfo: supertokens.AppInfo{
			AppName:       "SDK examples",
			APIDomain:     "http://localhost:" + port,
			WebsiteDomain: "http://localhost:" + port,
		},
		RecipeList: []supertokens.Recipe{session.Init(nil), usermetadata.Init(nil)},
		Telemetry:  new(bool),
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("POST /login", handler(login))
	mux.Handle("POST /offline", handler(offline))
	mux.Handle("POST /session-data", session.VerifySession(nil, handler(sessionData)))
	mux.Handle("POST /metadata", session.VerifySession(nil, handler(updateMetadata)))
	mux.Handle("DELETE /metadata", session.VerifySession(nil, handler(clearMetadata)))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, supertokens.Middleware(mux)))
}

func login(w http.ResponseWriter, r *http.Request) (object, error) {
	_, err := session.CreateNewSession(r, w, "public", r.FormValue("userId"), nil, nil)
	return object{"status": "OK"}, err
}

func sessionData(_ http.ResponseWriter, r *http.Request) (object, error) {
	current := session.GetSessionFromRequestContext(r.Context())
	data, err := current.GetSessionDataInDatabase()
	if err != nil {
		return nil, err
	}
	visits, _ := data["visits"].(float64)
	data["visits"] = visits + 1
	err = current.UpdateSessionDataInDatabase(data)
	return object{"visits": data["visits"]}, err
}

// Session data without a verified request: all sessions of a user, by handle.
func offline(_ http.ResponseWriter, r *http.Request) (object, error) {
	handles, err := session.GetAllSessionHandlesForUser(r.FormValue("userId"), nil)
	if err != nil {
		return nil, err
	}
	for _, handle := range handles {
		info, err := session.GetSessionInformation(handle)
		if err != nil {
			return nil, err
		}
		if info == nil { // it ended meanwhile
			continue
		}
		data := info.SessionDataInDatabase
		data["notice"] = "terms changed"
		if _, err := session.UpdateSessionDataInDatabase(handle, data); err != nil {
			return nil, err
		}
	}
	return object{"sessions": len(handles)}, nil
}

func updateMetadata(_ http.ResponseWriter, r *http.Request) (object, error) {
	userID := session.GetSessionFromRequestContext(r.Context()).GetUserID()
	if _, err := usermetadata.UpdateUserMetadata(userID, object{"theme": "dark", "draft": nil}); err != nil {
		return nil, err
	}
	return usermetadata.GetUserMetadata(userID)
}

func clearMetadata(_ http.ResponseWriter, r *http.Request) (object, error) {
	userID := session.GetSessionFromRequestContext(r.Context()).GetUserID()
	return object{}, usermetadata.ClearUserMetadata(userID)
}

// Answers what a handler returns as JSON, and shows its errors to the SDK.
func handler(do func(http.ResponseWriter, *http.Request) (object, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := do(w, r)
		if err != nil {
			if err = supertokens.ErrorHandler(err, r, w); err != nil {
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
}

func env(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
