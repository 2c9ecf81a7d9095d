package storage

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// hidden stands for what must not be shown.
const hidden = "xxxxx"

// shownParams are the parameters of a URL whose values RedactSink shows; any other may be a secret of some way to authenticate.
var shownParams = map[string]bool{
	"application_name": true, "connect_timeout": true, "search_path": true, "sslmode": true, "sslrootcert": true, "target_session_attrs": true,
}

func isPostgres(sink string) bool {
	return strings.HasPrefix(sink, "postgres://") || strings.HasPrefix(sink, "postgresql://")
}

// parsePostgres reads the URL the way PostgreSQL's own programs do, with the same environment and password file. Its errors are ErrConfig and
// hold nothing of the URL that could be a password.
func parsePostgres(sink string) (*pgx.ConnConfig, error) {
	if _, err := splitURL(sink); err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(sink)
	if err != nil {
		// The library hides the passwords that it finds, in the text alone: so the text is all that is kept of it.
		return nil, fmt.Errorf("%w: the URL of the PostgreSQL sink: %s", ErrConfig, hideSecrets(sink, err.Error()))
	}
	return cfg, nil
}

// sinkURL is a PostgreSQL URL in parts. net/url does not read all of them: one may name several hosts with a port each.
type sinkURL struct {
	scheme, user, hosts, path string
	password                  *string // as written
	params                    url.Values
}

// splitURL refuses a URL in which an end of the password cannot be told: then nothing of it may be shown.
func splitURL(sink string) (u sinkURL, err error) {
	unreadable := fmt.Errorf("%w: the URL of the PostgreSQL sink cannot be read: special characters of a password or name are written as %%XX, "+
		"and better than in the URL a password stands in a password file (PGPASSFILE)", ErrConfig)
	var rest, query string
	u.scheme, rest, _ = strings.Cut(sink, "://")
	rest, query, _ = strings.Cut(rest, "?")
	authority := rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, u.path = rest[:i], rest[i:]
	}
	userinfo, hosts, found := strings.Cut(authority, "@")
	if !found {
		userinfo, hosts = "", authority
	}
	u.hosts = hosts
	if user, password, has := strings.Cut(userinfo, ":"); has {
		u.user, u.password = user, &password
	} else {
		u.user = user
	}
	for host := range strings.SplitSeq(hosts, ",") {
		// What is no port behind a colon is a password that lost its host.
		if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.Trim(host[i+1:], "0123456789") != "" && !strings.HasSuffix(host, "]") {
			return sinkURL{}, unreadable
		}
	}
	if strings.ContainsRune(sink, '#') || strings.ContainsRune(hosts+u.path+query, '@') {
		return sinkURL{}, unreadable
	}
	if u.params, err = url.ParseQuery(query); err != nil {
		return sinkURL{}, unreadable
	}
	return u, nil
}

// RedactSink returns a sink's name as it may be shown: a URL without its passwords.
func RedactSink(sink string) string {
	if !isPostgres(sink) {
		if strings.ContainsAny(sink, ":@=") {
			return hidden
		}
		return sink
	}
	u, err := splitURL(sink)
	if err != nil {
		return "postgres://" + hidden
	}
	shown := u.scheme + "://" + u.user
	if u.password != nil {
		shown += ":" + hidden
	}
	if u.user != "" || u.password != nil {
		shown += "@"
	}
	shown += u.hosts + u.path
	for name := range u.params {
		if !shownParams[name] {
			u.params[name] = []string{hidden}
		}
	}
	if len(u.params) > 0 {
		shown += "?" + u.params.Encode()
	}
	return shown
}

// Redacted reports whether a sink's name is what RedactSink makes of one with a secret: the secret is not in it, and what stands for it opens
// nothing.
func Redacted(sink string) bool {
	if !isPostgres(sink) {
		return sink == hidden
	}
	u, err := splitURL(sink)
	if err != nil {
		return false
	}
	if u.password != nil && *u.password == hidden || u.hosts == hidden && u.user == "" && u.path == "" {
		return true
	}
	for name, values := range u.params {
		if !shownParams[name] && slices.Contains(values, hidden) {
			return true
		}
	}
	return false
}

// hideSecrets takes the secrets of a URL, decoded or not, out of a text.
func hideSecrets(sink, text string) string {
	u, err := splitURL(sink)
	if err != nil {
		return hidden
	}
	var secrets []string
	if u.password != nil {
		secrets = append(secrets, *u.password)
		if decoded, err := url.PathUnescape(*u.password); err == nil {
			secrets = append(secrets, decoded)
		}
	}
	for name, values := range u.params {
		if !shownParams[name] {
			secrets = append(secrets, values...)
		}
	}
	text = strings.ReplaceAll(text, sink, RedactSink(sink))
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, hidden)
		}
	}
	return text
}
